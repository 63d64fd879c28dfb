package interop

import (
	"os/exec"
	"syscall"
)

// ownGroup makes a process the leader of a group, and has it end with ours: a
// test that ran out of time cleans nothing up.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func killGroup(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
