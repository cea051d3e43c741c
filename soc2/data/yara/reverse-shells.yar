// Commands that hand a shell to whoever waits at the other end of a connection.

rule reverse_shell_command
{
    meta:
        description = "shell whose input and output are a connection"
    strings:
        $bash = /\b(ba|z|k|da|a)?sh\s{1,8}-i[^\n]{0,40}\/dev\/(tcp|udp)\/[^\s\/]{1,253}\/\S/
        $bash_reversed = /\/dev\/(tcp|udp)\/[^\s\/]{1,253}\/[^\n]{1,60}\b(ba|z|k|da|a)?sh\s{1,8}(-i\s{1,8})?<&\d{1,4}\s{0,4}>&\d/
        $descriptors = /\/bin\/(ba|z|k|da|a)?sh -i\s{0,4}<&\d{1,4}\s{0,4}>&\d{1,4}\s{0,4}2>&\d/
        $netcat = /\b(nc|ncat|netcat)(\.traditional|\.exe)?\s[^\n;|]{0,100}\s?-{1,2}(e|c|exec|sh-exec)[ =]{0,2}["']?(\/usr)?(\/bin\/)?(ba|z|k|da|a)?sh\b/
        $fifo = /mk(fifo|nod)\s[^\n]{1,120}\bsh\s{1,4}-i[^\n]{0,60}\|\s{0,4}(nc|ncat|netcat|telnet|openssl|socat)\s/
        $socat = /\bsocat\s[^\n]{0,160}exec:["']?[^\n]{0,20}\b(ba|z|k|da|a)?sh\b[^\n]{0,80}\btcp/ nocase
        $socat_reversed = /\bsocat\s[^\n]{0,20}\btcp4?(-connect)?:[^\n]{1,120}exec:["']?[^\n]{0,20}\b(ba|z|k|da|a)?sh\b/ nocase
    condition:
        any of them
}

rule reverse_shell_script
{
    meta:
        description = "script that hands a shell to a connection"
    strings:
        $python_dup = /\bdup2\s{0,4}\(\s{0,4}\w{1,40}\s{0,4}\.\s{0,4}fileno\s{0,4}\(\s{0,4}\)\s{0,4},/
        $python_connect = /\.\s{0,4}connect\s{0,4}\(\s{0,4}\(/
        $python_spawn = /\b(pty\s{0,4}\.\s{0,4}spawn|subprocess\s{0,4}\.\s{0,4}(call|run|Popen|check_call)|os\s{0,4}\.\s{0,4}(system|execl|execv|execve|popen))\s{0,4}\(\s{0,4}\[?\s{0,4}["'](\/bin\/|\/usr\/bin\/)?(ba|z|k|da|a)?sh\b/
        $perl_open = /open\s{0,4}\(\s{0,4}STD(IN|OUT)\s{0,4},\s{0,4}["']>&/
        $perl_exec = /exec\s{0,4}[({]\s{0,4}["']\/bin\/(ba)?sh( -i)?["']/
        $perl_connect = /\bconnect\s{0,4}\(/
        $ruby = /TCPSocket\s{0,4}\.\s{0,4}(new|open)[^\n]{1,200}(exec|popen|sprintf)[^\n]{0,80}\bsh\b/
        $java = /Runtime[^\n]{0,80}exec\s{0,4}\([^\n]{0,80}\/dev\/tcp\//
        $powershell_client = /New-Object\s{1,8}(System\.)?Net\.Sockets\.TCPClient\s{0,4}\(/ nocase
        $powershell_run = /\b(iex|invoke-expression)\b/ nocase
        $powershell_stream = ".GetStream()" nocase
    condition:
        filesize < 1MB and (
            all of ($python_*) or all of ($perl_*) or $ruby or $java or all of ($powershell_*)
        )
}
