// Pages that run whatever a request tells them.

rule web_shell_php
{
    meta:
        description = "PHP that runs what a request says"
    strings:
        $call = /(^|[^\w>:$])(eval|assert|system|passthru|shell_exec|exec|popen|proc_open|pcntl_exec|create_function)\s{0,8}\(\s{0,8}(@?(base64_decode|gzinflate|gzuncompress|gzdecode|str_rot13|strrev|stripslashes|urldecode|rawurldecode|trim|hex2bin)\s{0,8}\(\s{0,8}){0,5}@?\$_(POST|GET|REQUEST|COOKIE|SERVER|FILES)\b/ nocase
        $backticks = /`\s{0,8}\$_(POST|GET|REQUEST|COOKIE)\b/
        $variable = /\$_(POST|GET|REQUEST|COOKIE)\s{0,4}\[[^\]\n]{1,60}\]\s{0,4}\(\s{0,4}@?\$_(POST|GET|REQUEST|COOKIE)\b/
        $modifier = /preg_replace\s{0,8}\(\s{0,8}["'].{0,60}\/e["']\s{0,8},\s{0,8}@?\$_(POST|GET|REQUEST|COOKIE)\b/ nocase
    condition:
        any of them
}

rule web_shell_jsp
{
    meta:
        description = "JSP that runs what a request says"
    strings:
        $page = "<%"
        $nested = /\bexec\s{0,8}\(\s{0,8}request\s{0,4}\.\s{0,4}getParameter/
        $started = /new\s{1,8}ProcessBuilder\s{0,8}\([^;\n]{0,80}request\s{0,4}\.\s{0,4}getParameter/
        $runtime = /getRuntime\s{0,4}\(\s{0,4}\)\s{0,8}\.\s{0,8}exec\s{0,4}\(/
        $builder = /new\s{1,8}ProcessBuilder\s{0,4}\(/
        $parameter = /request\s{0,4}\.\s{0,4}getParameter\s{0,4}\(/
    condition:
        $nested or $started or (filesize < 256KB and $page and $parameter and ($runtime or $builder))
}

rule web_shell_asp
{
    meta:
        description = "ASP that runs what a request says"
    strings:
        $call = /\b(eval|execute|executeglobal)\s{0,8}\(?\s{0,8}request\s{0,4}(\.\s{0,4}(item|form|querystring|params)\s{0,4})?[\[(]/ nocase
        $process = /Process\s{0,4}\.\s{0,4}Start\s{0,4}\([^;\n]{0,120}Request\s{0,4}(\.\s{0,4}(Item|Form|QueryString|Params)\s{0,4})?\[/ nocase
    condition:
        any of them
}
