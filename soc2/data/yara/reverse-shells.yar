// Commands that hand a shell to whoever waits at the other end of a connection.

rule reverse_shell_command
{
    meta:
        description = "shell whose input and output are a connection"
    strings:
        $bash = /\b(ba|z|k|da|a)?sh\s{1,8}-[il]{1,2}\b[^\n]{0,40}\/dev\/(tcp|udp)\/[^\s\/]{1,253}\/\S/
        $bash_input = /\b(ba|z|k|da|a)?sh\s{1,8}0?<\s{0,2}\/dev\/(tcp|udp)\/[^\s\/]{1,253}\/\d{1,5}\s{1,4}1?>&\s{0,2}0/
        $bash_reversed = /\/dev\/(tcp|udp)\/[^\s\/]{1,253}\/[^\n]{1,60}\b(ba|z|k|da|a)?sh\s{1,8}(-i\s{1,8})?<&\d{1,4}\s{0,4}>&\d/
        $bash_lines = /\/dev\/(tcp|udp)\/[^\s\/]{1,253}\/[^\n]{1,80}\bwhile\s{1,4}read\s{1,4}(-r\s{1,4})?\w{1,40}\s{0,4};\s{0,4}do\s{1,4}(eval\s{1,4})?["']?\$\w/
        $descriptors = /\b(ba|z|k|da|a)?sh( -i)?\s{1,4}<&\d{1,4}\s{0,4}>&\d{1,4}\s{0,4}2>&\d/
        $netcat = /\b(nc|ncat|netcat)(\.traditional|\.exe)?\s[^\n;|]{0,100}\s?-{1,2}(e|c|exec|sh-exec)[ =]{0,2}["']?(\/usr)?(\/bin\/)?(ba|z|k|da|a)?sh\b/
        $fifo = /mk(fifo|nod)\s[^\n]{1,120}\bsh\s{1,4}-i[^\n]{0,60}\|\s{0,4}(nc|ncat|netcat|telnet|openssl|socat)\s/
        $fifo_reversed = /mk(fifo|nod)\s[^\n]{1,120}\b(nc|ncat|netcat|telnet|openssl)\s[^\n|]{1,100}\|\s{0,4}(\/bin\/)?(ba|z|k|da|a)?sh\b/
        $socat = /\bsocat\s[^\n]{0,160}(exec|system):["']?[^\n]{0,20}\b(ba|z|k|da|a)?sh\b[^\n]{0,80}\b(tcp|openssl|ssl|udp|sctp)/ nocase
        $socat_reversed = /\bsocat\s[^\n]{0,40}\b(tcp|openssl|ssl|udp|sctp)[\w-]{0,16}:[^\n]{1,120}(exec|system):["']?[^\n]{0,20}\b(ba|z|k|da|a)?sh\b/ nocase
        $awk = /\/inet\/(tcp|udp)\/\d{1,5}\/[^\n]{1,300}\|&\s{0,4}getline/
        $into_shell = /\b(nc|ncat|netcat|telnet)\s[^\n|;]{3,120}\|\s{0,4}(\/usr)?(\/bin\/)?(ba|z|k|da|a)?sh\b[^\n|;]{0,20}(\|\s{0,4}(nc|ncat|netcat|telnet)\s|[^\n|;]{0,4}1?>\s{0,4}[\w$\/])/
        $zsh = /\bztcp\s[^\n]{1,200}\bz?sh\s{1,4}>&\s{0,2}\$REPLY/
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
        $popen = /\b(Popen|call|run)\s{0,4}\(\s{0,4}\[?\s{0,4}["'](\/bin\/|\/usr\/bin\/)?(ba|z|k|da|a)?sh["'][^)]{0,80}stdin\s{0,4}=\s{0,4}\w{1,40}\s{0,4}\.\s{0,4}fileno\b/
        $perl_open = /open\s{0,4}\(\s{0,4}STD(IN|OUT)\s{0,4},\s{0,4}["']>&/
        $perl_exec = /exec\s{0,4}[({]\s{0,4}["']\/bin\/(ba)?sh( -i)?["']/
        $perl_connect = /\bconnect\s{0,4}\(/
        $perl_io = /IO::Socket::INET[^\n]{1,200}STDIN\s{0,4}->\s{0,4}fdopen\s{0,4}\([^\n]{1,80}system/
        $ruby = /TCPSocket\s{0,4}\.\s{0,4}(new|open)[^\n]{1,200}(exec|popen|sprintf)[^\n]{0,80}\bsh\b/
        $ruby_lines = /TCPSocket\s{0,4}\.\s{0,4}(new|open)[^\n]{1,120}\.gets\b[^\n]{0,40}popen\s{0,4}\(/
        $php = /fsockopen\s{0,4}\([^\n]{1,160}\b(proc_open|popen|exec|shell_exec|system|passthru)\s{0,4}\(\s{0,4}["'](\/bin\/)?(ba|z|k|da|a)?sh\b/
        $java = /Runtime[^\n]{0,80}exec\s{0,4}\([^\n]{0,80}\/dev\/tcp\//
        $pipes = /\bPopen\s{0,4}\(\s{0,4}\[?\s{0,4}["'](\/bin\/|\/usr\/bin\/)?(ba|z|k|da|a)?sh["'][^\n]{0,40}\bstdin\s{0,4}=\s{0,4}(\w{1,20})\s{0,4},\s{0,4}stdout\s{0,4}=\s{0,4}\w{1,20}\s{0,4},/
        $lines = /\b(subprocess|os|sp)\s{0,4}\.\s{0,4}(getoutput|check_output|popen|Popen|run)\s{0,4}\(\s{0,4}\w{1,20}\s{0,4}[,)]/
        $receive = /=\s{0,4}\w{1,20}\s{0,4}\.\s{0,4}recv\s{0,4}\(\s{0,4}\d{2,6}\s{0,4}\)\s{0,4}\.\s{0,4}decode/
        $ruby_spawn = /\b(spawn|exec|system)\s{0,4}\(?\s{0,4}["'](\/bin\/)?(ba|z|k|da|a)?sh["'][^\n]{0,80}=>\s{0,4}TCPSocket\s{0,4}\.\s{0,4}(new|open)/
        $java_builder = /new\s{1,8}ProcessBuilder\s{0,4}\(/
        $java_socket = /new\s{1,8}Socket\s{0,4}\(/
        $java_shell = /"(\/bin\/(ba)?sh|cmd\.exe)"/
        $java_streams = /redirectErrorStream\s{0,4}\(\s{0,4}true/
        $node_spawn = /\bspawn\s{0,4}\(\s{0,4}["'](\/bin\/)?((ba|z|k|da|a)?sh|cmd\.exe)["']/
        $node_connect = /\.\s{0,4}connect\s{0,4}\(\s{0,4}["'\w]/
        $node_pipe = /\.\s{0,4}pipe\s{0,4}\(\s{0,4}\w{1,40}\s{0,4}\.\s{0,4}stdin\s{0,4}\)/
        $node_net = /require\s{0,4}\(\s{0,4}["'](node:)?net["']/
        $socket = /\bnet\s{0,4}\.\s{0,4}(Socket|connect|createConnection)\s{0,4}\(/
        $output = /\.\s{0,4}stdout\s{0,4}\.\s{0,4}pipe\s{0,4}\(/
        $go_dial = /\bnet\s{0,4}\.\s{0,4}Dial\s{0,4}\(\s{0,4}"(tcp|udp)/
        $go_shell = /exec\s{0,4}\.\s{0,4}Command\s{0,4}\(\s{0,4}"(\/bin\/)?((ba|z|k|da|a)?sh|cmd(\.exe)?|powershell(\.exe)?)"\s{0,4}\)/
        $go_input = /\.\s{0,4}Stdin\s{0,4}=\s{0,4}\w/
        $powershell_client = /(New-Object\s{1,8}(System\.)?Net\.Sockets\.TCPClient\s{0,4}\(|Net\.Sockets\.TcpClient\s{0,4}\]\s{0,4}::\s{0,4}new\s{0,4}\()/ nocase
        $powershell_run = /\b(iex|invoke-expression)\b/ nocase
        $powershell_stream = ".GetStream()" nocase
    condition:
        filesize < 1MB and (
            all of ($python_*) or ($python_connect and (all of ($lines, $receive) or any of ($popen, $pipes)))
            or all of ($perl_open, $perl_exec, $perl_connect) or any of ($perl_io, $ruby*, $php, $java)
            or all of ($java_*) or all of ($node_*) or all of ($node_spawn, $node_pipe, $socket, $output)
            or all of ($go_*) or all of ($powershell_*)
        )
}
