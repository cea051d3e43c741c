// Pages that run whatever a request tells them.

rule web_shell_php
{
    meta:
        description = "PHP that runs what a request says"
    strings:
        $call = /(^|[^\w>:$])(eval|assert|system|passthru|shell_exec|exec|popen|proc_open|pcntl_exec|create_function|call_user_func|call_user_func_array)\s{0,8}\(\s{0,8}(["']\?>["']\s{0,8}\.\s{0,8})?(@?(base64_decode|gzinflate|gzuncompress|gzdecode|str_rot13|strrev|stripslashes|urldecode|rawurldecode|trim|hex2bin)\s{0,8}\(\s{0,8}){0,5}@?\$_(POST|GET|REQUEST|COOKIE|SERVER|FILES)\b/ nocase
        $within = /(^|[^\w>:$])(eval|assert|system|passthru|shell_exec|exec|popen|proc_open|pcntl_exec)\s{0,8}\(\s{0,8}["'][^"\n]{0,80}\{?\$_(POST|GET|REQUEST|COOKIE)\b/ nocase
        $made = /\bcreate_function\s{0,8}\([^;\n]{0,80}\$_(POST|GET|REQUEST|COOKIE)\b/ nocase
        $mapped = /\b(array_map|array_filter|array_walk|usort|call_user_func|register_shutdown_function)\s{0,8}\([^;\n]{0,80}["'](assert|eval|system|passthru|shell_exec|exec)["'][^;\n]{0,80}\$_(POST|GET|REQUEST|COOKIE)\b/ nocase
        $body = /\b(eval|assert|system|passthru|shell_exec|exec)\s{0,8}\(\s{0,8}@?file_get_contents\s{0,8}\(\s{0,8}["']php:\/\/input/ nocase
        $backticks = /`\s{0,8}\{?\$_(POST|GET|REQUEST|COOKIE)\b/
        $variable = /\$_(POST|GET|REQUEST|COOKIE)\s{0,4}\[[^\]\n]{1,60}\]\s{0,4}\(\s{0,4}@?\$_(POST|GET|REQUEST|COOKIE)\b/
        $modifier = /preg_replace\s{0,8}\(\s{0,8}["'].{0,60}\/e["']\s{0,8},\s{0,8}@?\$_(POST|GET|REQUEST|COOKIE)\b/ nocase
        $assigned = /\$\w{1,40}\s{0,8}=\s{0,8}\(?\s{0,4}@?\$_(POST|GET|REQUEST|COOKIE)\s{0,4}\[[^\]\n]{1,60}\]\s{0,4}\)?\s{0,4};[^\n]{0,120}(^|[^\w>:$])(eval|assert|system|passthru|shell_exec|exec|popen|proc_open)\s{0,8}\(\s{0,8}@?\$\w/ nocase
        // What a request says, in a variable whose name says so, that is run a few lines below.
        $below = /\$(cmd|command|code|shell|c)\s{0,4}=[(@\s]{0,6}((base64_decode|urldecode|trim|stripslashes|hex2bin)\s{0,4}\(\s{0,4})?\$_(POST|GET|REQUEST|COOKIE)\b[^\n]{0,160}(\n[^\n]{0,160}){1,4}[^\w>:$](eval|assert|system|passthru|shell_exec|exec|popen|proc_open)\s{0,4}\(\s{0,4}@?\$(cmd|command|code|shell|c)\b/ nocase
        $any_name = /\$\w{1,40}\s{0,4}\(\s{0,4}@?\$_(POST|GET|REQUEST|COOKIE)\s{0,4}\[/
        $begin = "<?"
    condition:
        any of ($call, $within, $made, $mapped, $body, $backticks, $variable, $modifier, $assigned, $below)
        or (filesize < 1KB and $begin at 0 and $any_name)
}

rule hidden_php
{
    meta:
        description = "PHP that runs what is packed in it"
    strings:
        $packed = /(^|[^\w>:$])(eval|assert)\s{0,8}\(\s{0,8}(@?(gzinflate|gzuncompress|gzdecode|str_rot13|strrev|rawurldecode|hex2bin)\s{0,8}\(\s{0,8}){0,5}@?base64_decode\s{0,8}\(\s{0,8}["'][A-Za-z0-9+\/=]{8}/ nocase
    condition:
        $packed
}

rule web_shell_jsp
{
    meta:
        description = "JSP that runs what a request says"
    strings:
        $page = "<%"
        $document = "<jsp:"
        $nested = /\bexec\s{0,8}\(\s{0,8}request\s{0,4}\.\s{0,4}get(Parameter|Header)/
        $started = /new\s{1,8}(java\.lang\.)?ProcessBuilder\s{0,8}\([^;\n]{0,80}request\s{0,4}\.\s{0,4}get(Parameter|Header)/
        $runtime = /getRuntime\s{0,4}\(\s{0,4}\)\s{0,8}\.\s{0,8}exec\s{0,4}\(/
        $builder = /new\s{1,8}(java\.lang\.)?ProcessBuilder\s{0,4}\(/
        $parameter = /request\s{0,4}\.\s{0,4}get(Parameter|Header|QueryString|Reader|InputStream)\s{0,4}\(/
    condition:
        $nested or $started or (filesize < 256KB and ($page or $document) and $parameter and ($runtime or $builder))
}

rule web_shell_asp
{
    meta:
        description = "ASP that runs what a request says"
    strings:
        $call = /\b(eval|execute|executeglobal)(\s{0,8}\(\s{0,8}|\s{1,8})request\s{0,4}(\.\s{0,4}(item|form|querystring|params)\s{0,4})?[\[(]/ nocase
        $process = /Process\s{0,4}\.\s{0,4}Start\s{0,4}\([^;\n]{0,120}Request\s{0,4}(\.\s{0,4}(Item|Form|QueryString|Params)\s{0,4})?\[/ nocase
        $page = /<%@?\s{0,8}\w/
        $start = /\b(ProcessStartInfo|Process\s{0,4}\.\s{0,4}Start\s{0,4}\()/
        $shell = /CreateObject\s{0,4}\(\s{0,4}"WScript\.Shell"/ nocase
        $run = /\.\s{0,4}(Exec|Run)\s{0,4}\(?\s{0,4}["\w]/ nocase
        $request = /\bRequest\s{0,4}(\.\s{0,4}(Item|Form|QueryString|Params|Headers)\s{0,4})?[\[(]\s{0,4}"/ nocase
    condition:
        $call or $process or (filesize < 256KB and $page and $request and ($start or ($shell and $run)))
}
