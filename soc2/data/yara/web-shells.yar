// Pages that run whatever a request tells them.

rule web_shell_php
{
    meta:
        description = "PHP that runs what a request says"
    strings:
        $call = /(^|[^\w>:$])(eval|assert|system|passthru|shell_exec|exec|popen|proc_open|pcntl_exec|create_function)\s{0,8}\(\s{0,8}(["']\?>["']\s{0,8}\.\s{0,8})?(@?(base64_decode|gzinflate|gzuncompress|gzdecode|str_rot13|strrev|stripslashes|urldecode|rawurldecode|trim|hex2bin)\s{0,8}\(\s{0,8}){0,5}@?\$_(POST|GET|REQUEST|COOKIE|SERVER|FILES)\b/ nocase
        $backticks = /`\s{0,8}\{?\$_(POST|GET|REQUEST|COOKIE)\b/
        $variable = /\$_(POST|GET|REQUEST|COOKIE)\s{0,4}\[[^\]\n]{1,60}\]\s{0,4}\(\s{0,4}@?\$_(POST|GET|REQUEST|COOKIE)\b/
        $hidden = /\(\s{0,4}\$_{0,20}\w{0,20}\s{0,4}=\s{0,4}@?\$_(POST|GET|REQUEST|COOKIE)\s{0,4}\[[^\]\n]{1,60}\]\s{0,4}\)\s{0,4}\.\s{0,4}@?\$\w{1,20}\s{0,4}\(\s{0,4}@?\$_(POST|GET|REQUEST|COOKIE)\b/ nocase
        $created = /\bcreate_function\s{0,8}\([^;\n]{0,60},\s{0,8}@?\$_(POST|GET|REQUEST|COOKIE)\b/ nocase
        $called = /\b(array_map|array_filter|call_user_func(_array)?|usort|register_shutdown_function)\s{0,8}\(\s{0,8}(["'](assert|system|eval|exec|passthru|shell_exec)["']|@?\$_(POST|GET|REQUEST|COOKIE)\s{0,4}\[[^\]\n]{1,60}\])\s{0,8},[^;\n]{0,40}\$_(POST|GET|REQUEST|COOKIE)\b/ nocase
        $anything = /\b(eval|assert)\s{0,8}\(\s{0,8}((gzinflate|gzuncompress|str_rot13|strrev)\s{0,8}\(\s{0,8}){0,4}base64_decode\s{0,8}\(\s{0,8}["'][\w+\/=]{16}/ nocase
        // What a request says, in a variable that is run a few lines below.
        $by_name_cmd = /\$cmd\s{0,4}=[(@\s]{0,6}((base64_decode|urldecode|trim|stripslashes|hex2bin)\s{0,4}\(\s{0,4})?\$_(POST|GET|REQUEST|COOKIE)\b[^\n]{0,160}(\n[^\n]{0,160}){0,4}[^\w>:$](eval|assert|system|passthru|shell_exec|exec|popen|proc_open)\s{0,4}\(\s{0,4}@?\$cmd\b/ nocase
        $by_name_command = /\$command\s{0,4}=[(@\s]{0,6}((base64_decode|urldecode|trim|stripslashes|hex2bin)\s{0,4}\(\s{0,4})?\$_(POST|GET|REQUEST|COOKIE)\b[^\n]{0,160}(\n[^\n]{0,160}){0,4}[^\w>:$](eval|assert|system|passthru|shell_exec|exec|popen|proc_open)\s{0,4}\(\s{0,4}@?\$command\b/ nocase
        $by_name_code = /\$code\s{0,4}=[(@\s]{0,6}((base64_decode|urldecode|trim|stripslashes|hex2bin)\s{0,4}\(\s{0,4})?\$_(POST|GET|REQUEST|COOKIE)\b[^\n]{0,160}(\n[^\n]{0,160}){0,4}[^\w>:$](eval|assert|system|passthru|shell_exec|exec|popen|proc_open)\s{0,4}\(\s{0,4}@?\$code\b/ nocase
        $by_name_shell = /\$shell\s{0,4}=[(@\s]{0,6}((base64_decode|urldecode|trim|stripslashes|hex2bin)\s{0,4}\(\s{0,4})?\$_(POST|GET|REQUEST|COOKIE)\b[^\n]{0,160}(\n[^\n]{0,160}){0,4}[^\w>:$](eval|assert|system|passthru|shell_exec|exec|popen|proc_open)\s{0,4}\(\s{0,4}@?\$shell\b/ nocase
        $by_name_c = /\$c\s{0,4}=[(@\s]{0,6}((base64_decode|urldecode|trim|stripslashes|hex2bin)\s{0,4}\(\s{0,4})?\$_(POST|GET|REQUEST|COOKIE)\b[^\n]{0,160}(\n[^\n]{0,160}){0,4}[^\w>:$](eval|assert|system|passthru|shell_exec|exec|popen|proc_open)\s{0,4}\(\s{0,4}@?\$c\b/ nocase
        $by_name_p = /\$p\s{0,4}=[(@\s]{0,6}((base64_decode|urldecode|trim|stripslashes|hex2bin)\s{0,4}\(\s{0,4})?\$_(POST|GET|REQUEST|COOKIE)\b[^\n]{0,160}(\n[^\n]{0,160}){0,4}[^\w>:$](eval|assert|system|passthru|shell_exec|exec|popen|proc_open)\s{0,4}\(\s{0,4}@?\$p\b/ nocase
        $by_name_e = /\$e\s{0,4}=[(@\s]{0,6}((base64_decode|urldecode|trim|stripslashes|hex2bin)\s{0,4}\(\s{0,4})?\$_(POST|GET|REQUEST|COOKIE)\b[^\n]{0,160}(\n[^\n]{0,160}){0,4}[^\w>:$](eval|assert|system|passthru|shell_exec|exec|popen|proc_open)\s{0,4}\(\s{0,4}@?\$e\b/ nocase
        $by_name_a = /\$a\s{0,4}=[(@\s]{0,6}((base64_decode|urldecode|trim|stripslashes|hex2bin)\s{0,4}\(\s{0,4})?\$_(POST|GET|REQUEST|COOKIE)\b[^\n]{0,160}(\n[^\n]{0,160}){0,4}[^\w>:$](eval|assert|system|passthru|shell_exec|exec|popen|proc_open)\s{0,4}\(\s{0,4}@?\$a\b/ nocase
        $by_name_x = /\$x\s{0,4}=[(@\s]{0,6}((base64_decode|urldecode|trim|stripslashes|hex2bin)\s{0,4}\(\s{0,4})?\$_(POST|GET|REQUEST|COOKIE)\b[^\n]{0,160}(\n[^\n]{0,160}){0,4}[^\w>:$](eval|assert|system|passthru|shell_exec|exec|popen|proc_open)\s{0,4}\(\s{0,4}@?\$x\b/ nocase
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
        $dropper = /new\s{1,8}(java\.io\.)?File(OutputStream|Writer)\s{0,4}\([^;\n]{0,80}request\s{0,4}\.\s{0,4}getParameter[^;\n]{0,80}write\s{0,4}\(\s{0,4}request\s{0,4}\.\s{0,4}getParameter/
    condition:
        $nested or $started or $dropper or (filesize < 256KB and $page and $parameter and ($runtime or $builder))
}

rule web_shell_asp
{
    meta:
        description = "ASP that runs what a request says"
    strings:
        $call = /\b(eval|execute|executeglobal)(\s{0,8}\(\s{0,8}|\s{1,8})request\s{0,4}(\.\s{0,4}(item|form|querystring|params)\s{0,4})?[\[(]/ nocase
        $object = /CreateObject\s{0,4}\(\s{0,4}"wscript\.shell"/ nocase
        $object_run = /\.\s{0,4}(exec|run)\s{0,4}\(?[^\n]{0,80}\brequest\s{0,4}(\.\s{0,4}(item|form|querystring|params)\s{0,4})?[\[(]/ nocase
        $start = /new\s{1,8}(System\.Diagnostics\.)?Process(StartInfo)?\s{0,4}\(/ nocase
        $start_shell = /["'](cmd|powershell)(\.exe)?["']/ nocase
        $start_request = /["']?\/c\s{0,8}["'][^;\n]{0,20}\bRequest\s{0,4}(\.\s{0,4}(Item|Form|QueryString|Params)\s{0,4})?\[/ nocase
        $process = /Process\s{0,4}\.\s{0,4}Start\s{0,4}\([^;\n]{0,120}Request\s{0,4}(\.\s{0,4}(Item|Form|QueryString|Params)\s{0,4})?\[/ nocase
    condition:
        $call or $process or all of ($object*) or all of ($start*)
}
