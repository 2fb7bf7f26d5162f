//go:build unix

package lineedit

import (
	"bufio"
	"os"
	"os/exec"
)

// guardScript waits for the end of its stdin and then gives the terminal its modes
// back. Whatever ends the program ends the pipe: a crash in any goroutine, which
// nothing inside can see to, and SIGKILL too.
const guardScript = `trap '' INT QUIT TERM HUP TSTP TTIN TTOU
modes=$(stty -g <&3) || exit
echo ready
read -r end
stty "$modes" <&3
printf '\033[?2004l\r\n' >&3`

// guard has the modes of the terminal restored when the program is no more. stop
// ends it without doing so. It is called before the modes are changed.
func guard(terminal *os.File) (stop func(), err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd := exec.Command("sh", "-c", guardScript)
	cmd.Stdin, cmd.ExtraFiles = r, []*os.File{terminal}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		w.Close()
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}
