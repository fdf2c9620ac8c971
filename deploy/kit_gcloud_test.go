package deploy_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// gcloudServer is gcloud, loaded once. It forks for each command, with the arguments, the environment, the folder and
// the files of whoever calls, and keeps what the commands load: most of a gcloud command's time goes into that. It ends
// with its standard input.
const gcloudServer = `
import atexit, importlib, json, os, select, signal, socket, sys
root, address = sys.argv[1:]
sys.path[:0] = [os.path.join(root, 'lib', 'third_party'), os.path.join(root, 'lib')]
import googlecloudsdk.gcloud_main as gcloud

def run(conn):
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    sent, files, _, _ = socket.recv_fds(conn, 1 << 20, 3)
    while not sent.endswith(b'\n'):
        sent += conn.recv(1 << 20)
    call = json.loads(sent)
    for n, file in enumerate(files):
        os.dup2(file, n)
        os.close(file)
    os.environ.clear()
    os.environ.update(call['env'])
    os.chdir(call['dir'])
    sys.argv, known, code = call['args'], set(sys.modules), 0
    try:
        gcloud.main()
    except SystemExit as e:
        code = e.code if isinstance(e.code, int) else int(e.code is not None)
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    conn.send(b'%d' % code)
    os.write(told, ''.join(name + ' ' for name in sys.modules if name not in known).encode())

listener = socket.socket(socket.AF_UNIX)
listener.bind(address)
listener.listen(64)
loaded, told = os.pipe()
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print('ready', flush=True)
while True:
    ready, _, _ = select.select([sys.stdin, listener, loaded], [], [])
    if sys.stdin in ready:
        sys.exit()
    if loaded in ready:
        for name in os.read(loaded, 1 << 20).decode().split():
            try:
                importlib.import_module(name)
            except Exception:
                pass # the command that needs it loads it by itself
    if listener in ready:
        conn, _ = listener.accept()
        if os.fork() == 0:
            try:
                run(conn)
            finally:
                os._exit(1)
        conn.close()
`

// gcloudClient stands in for the program gcloud.
const gcloudClient = `
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'server'))
call = {'args': sys.argv, 'env': dict(os.environ), 'dir': os.getcwd()}
socket.send_fds(server, [json.dumps(call).encode() + b'\n'], [0, 1, 2])
sys.exit(int(server.recv(16) or b'1'))
`

// sdk returns where gcloud is installed, and its Python.
var sdk = sync.OnceValues(func() (root, python string) {
	out, _ := exec.Command("gcloud", "info", "--format=value(installation.sdk_root,basic.python_location)").Output()
	if found := strings.Fields(string(out)); len(found) == 2 {
		return found[0], found[1]
	}
	return "", ""
})

// gcloudPath is the PATH of a script: before ours it has the folder of the loaded gcloud. Where that cannot be had, the
// scripts start gcloud anew for each command.
var gcloudPath = sync.OnceValue(func() string {
	path := os.Getenv("PATH")
	root, python := sdk()
	dir := filepath.Join(stages, "gcloud")
	if root == "" || os.Mkdir(dir, 0o755) != nil || os.WriteFile(filepath.Join(dir, "gcloud"), []byte("#!"+python+" -SE"+gcloudClient), 0o755) != nil {
		return path
	}
	server := exec.Command(python, "-S", "-c", gcloudServer, root, filepath.Join(dir, "server"))
	server.Env = append(os.Environ(), "PYTHONIOENCODING=UTF-8", "CLOUDSDK_ENCODING=UTF-8", "CLOUDSDK_CONFIG="+filepath.Join(dir, "config"))
	input, err := server.StdinPipe()
	if err != nil {
		return path
	}
	output, err := server.StdoutPipe()
	if err != nil || server.Start() != nil {
		return path
	}
	stopGcloud = func() {
		input.Close()
		server.Wait()
	}
	if line, _ := bufio.NewReader(output).ReadString('\n'); line != "ready\n" {
		return path
	}
	return dir + string(os.PathListSeparator) + path
})

var stopGcloud = func() {}
