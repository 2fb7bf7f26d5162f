//go:build unix

package lineedit

import (
	"bufio"
	"os"
	"os/exec"
)

// guardScript waits for the end of its stdin and then restores the modes of the
// terminal. The pipe is closed however the program ends, including a crash in any
// goroutine and SIGKILL.
const guardScript = `trap '' INT QUIT TERM HUP TSTP TTIN TTOU
modes=$(stty -g <&3) || exit
echo ready
read -r end
stty "$modes" <&3
printf '\033[?2004l\r\n' >&3`

// guard starts a process that restores the modes of the terminal when the program has
// ended. stop ends it without restoring them. guard must be called before the modes are
// changed.
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
