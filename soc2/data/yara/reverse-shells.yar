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
        $bash_output = /\b(ba|z|k|da|a)?sh(\s{1,4}-[il]{1,2})?\s{0,4}&?>{1,2}&?\s{0,4}\/dev\/(tcp|udp)\/[^\s\/]{1,253}\/\S{1,20}\s{1,4}0[<>]&1/
        $bash_lines = /exec\s{1,4}\d{1,3}<>\s{0,4}\/dev\/(tcp|udp)\/[^\n]{1,280}(\n[^\n]{0,80})?\bwhile\s{1,4}read\s{1,4}(-r\s{1,4})?\w{1,20}\s{0,4};\s{0,4}do\s{1,4}(eval\s{1,4})?["']?\$\w{1,20}["']?\s/
        $into_shell = /\b(nc|ncat|netcat|telnet)\s[^\n|;]{3,120}\|\s{0,4}(\/usr)?(\/bin\/)?(ba|z|k|da|a)?sh\b[^\n|;]{0,20}(\|\s{0,4}(nc|ncat|netcat|telnet)\s|[^\n|;]{0,4}1?>\s{0,4}[\w$\/])/
        $socat_listen = /\bsocat\s[^\n]{0,40}(tcp[46]?-(listen|l)|tcp[46]?-connect|openssl(-connect|-listen)?|udp[46]?(-listen)?):[^\n]{1,120}\bexec:["']?(\/usr)?(\/bin\/)?(ba|z|k|da|a)?sh\b/ nocase
        $php = /\b(shell_exec|system|passthru|exec|popen|proc_open)\s{0,4}\(\s{0,4}["'](\/bin\/)?(ba|z|k|da|a)?sh( -i)?\s{0,4}<&\d{1,3}\s{0,4}>&\d{1,3}/
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
        $perl_io = /\bIO::Socket::INET\s{0,4}(->\s{0,4}new)?\s{0,4}\([^\n]{0,200}STDIN\s{0,4}->\s{0,4}fdopen[^\n]{0,80}\bsystem\b/
        $python_pipes = /\bPopen\s{0,4}\(\s{0,4}\[?\s{0,4}["'](\/bin\/|\/usr\/bin\/)?(ba|z|k|da|a)?sh["'][^\n]{0,40}\bstdin\s{0,4}=\s{0,4}(\w{1,20})\s{0,4},\s{0,4}stdout\s{0,4}=\s{0,4}\w{1,20}\s{0,4},/
        $python_lines = /\b(subprocess|os|sp)\s{0,4}\.\s{0,4}(getoutput|check_output|popen|Popen|run)\s{0,4}\(\s{0,4}\w{1,20}\s{0,4}[,)]/
        $python_receive = /=\s{0,4}\w{1,20}\s{0,4}\.\s{0,4}recv\s{0,4}\(\s{0,4}\d{2,6}\s{0,4}\)\s{0,4}\.\s{0,4}decode/
        $ruby_spawn = /\b(spawn|exec|system)\s{0,4}\(?\s{0,4}["'](\/bin\/)?(ba|z|k|da|a)?sh["'][^\n]{0,80}=>\s{0,4}TCPSocket\s{0,4}\.\s{0,4}(new|open)/
        $node_spawn = /\bspawn\s{0,4}\(\s{0,4}["'](\/bin\/)?(ba|z|k|da|a)?sh["']/
        $node_socket = /\bnet\s{0,4}\.\s{0,4}(Socket|connect|createConnection)\s{0,4}\(/
        $node_in = /\.\s{0,4}pipe\s{0,4}\(\s{0,4}\w{1,20}\s{0,4}\.\s{0,4}stdin\s{0,4}\)/
        $node_out = /\.\s{0,4}stdout\s{0,4}\.\s{0,4}pipe\s{0,4}\(/
        $go_dial = /\bnet\s{0,4}\.\s{0,4}Dial\s{0,4}\(/
        $go_shell = /\bexec\s{0,4}\.\s{0,4}Command\s{0,4}\(\s{0,4}["'`](\/bin\/)?((ba|z|k|da|a)?sh|cmd(\.exe)?)["'`]\s{0,4}(,\s{0,4}["'`]-i["'`])?\s{0,4}\)/
        $go_pipes = /\.\s{0,4}Stdin\s{0,4}(,\s{0,4}\w{1,20}\.Stdout\s{0,4},\s{0,4}\w{1,20}\.Stderr\s{0,4})?=\s{0,4}\w{1,20}\s{0,4}[;,\n]/
        $awk = /["']\/inet[46]?\/(tcp|udp)\/\d{1,5}\/[^"'\n]{1,253}\/\w{1,20}["'][^}]{0,200}\|&\s{0,4}getline\s{1,4}\w{1,20}[^}]{0,200}\|&\s{0,4}getline/
        $powershell_client = /(New-Object\s{1,8}(System\.)?Net\.Sockets\.TCPClient\s{0,4}\(|\[(System\.)?Net\.Sockets\.TCPClient\]\s{0,4}::\s{0,4}new\s{0,4}\()/ nocase
        $powershell_run = /\b(iex|invoke-expression)\b/ nocase
        $powershell_stream = ".GetStream()" nocase
    condition:
        filesize < 1MB and (
            $python_connect and (($python_dup and $python_spawn) or $python_pipes or ($python_receive and $python_lines))
            or $perl_io or ($perl_open and $perl_exec and $perl_connect)
            or $ruby or $ruby_spawn or $java or $awk
            or all of ($node_*) or all of ($go_*) or all of ($powershell_*)
        )
}
