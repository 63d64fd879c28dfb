package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The ways to have the suite.
const (
	suiteAuto   = "auto"
	suiteWstest = "wstest" // a wstest that is already there
	suitePython = "python" // the environment that install.sh builds
	suiteDocker = "docker"
)

// wstestEnv names a wstest for those who cannot pass a flag.
const wstestEnv = "WIREBEAT_WSTEST"

// A suite knows how to start the real suite.
type suite struct {
	wstest string // path of wstest; empty for Docker
	docker string // path of docker
	image  string
}

// findSuite turns --suite into a suite. path is --wstest; it wins over everything.
func findSuite(ctx context.Context, kind, path, image string) (suite, error) {
	if path != "" {
		p, err := lookPath(path)
		if err != nil {
			return suite{}, fmt.Errorf("--wstest: %w", err)
		}
		return suite{wstest: p}, nil
	}
	switch kind {
	case suiteWstest:
		return findWstest()
	case suitePython:
		return findPython()
	case suiteDocker:
		return findDocker(ctx, image)
	case suiteAuto:
	default:
		return suite{}, fmt.Errorf("--suite %s: want auto, wstest, python or docker", kind)
	}
	if os.Getenv(wstestEnv) != "" {
		// Somebody who names a wstest wants that one and no other.
		return findWstest()
	}
	s, errWstest := findWstest()
	if errWstest == nil {
		return s, nil
	}
	s, errPython := findPython()
	if errPython == nil {
		return s, nil
	}
	s, errDocker := findDocker(ctx, image)
	if errDocker == nil {
		return s, nil
	}
	return suite{}, fmt.Errorf("the Autobahn suite is not here:\n%w", errors.Join(errWstest, errPython, errDocker))
}

// lookPath finds an executable by an absolute path: the suite runs in a directory of its own.
func lookPath(name string) (string, error) {
	p, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(p)
}

func findWstest() (suite, error) {
	name := os.Getenv(wstestEnv)
	if name == "" {
		name = "wstest"
	}
	p, err := lookPath(name)
	if err != nil {
		return suite{}, fmt.Errorf("  wstest: %w ($%s can name one)", err, wstestEnv)
	}
	return suite{wstest: p}, nil
}

// pythonHome is where install.sh builds its environment when it is given no directory.
func pythonHome() (string, error) {
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(home, ".cache")
	}
	return filepath.Join(cache, "wirebeat", "autobahn"), nil
}

func findPython() (suite, error) {
	home, err := pythonHome()
	if err != nil {
		return suite{}, fmt.Errorf("  python: %w", err)
	}
	p, err := lookPath(filepath.Join(home, "bin", "wstest"))
	if err != nil {
		return suite{}, fmt.Errorf("  python: %w (autobahn/install.sh builds it)", err)
	}
	return suite{wstest: p}, nil
}

func findDocker(ctx context.Context, image string) (suite, error) {
	p, err := exec.LookPath("docker")
	if err != nil {
		return suite{}, fmt.Errorf("  docker: %w", err)
	}
	// The client alone is no use: ask for the daemon.
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, p, "version", "--format", "{{.Server.Version}}").CombinedOutput(); err != nil {
		return suite{}, fmt.Errorf("  docker: no daemon answers: %w: %s", err, plainText(string(out)))
	}
	return suite{docker: p, image: image}, nil
}

// version says in words which suite this is.
func (s suite) version(ctx context.Context) (string, error) {
	if s.docker != "" {
		return s.image, nil
	}
	asking, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	out, err := exec.CommandContext(asking, s.wstest, "-a").CombinedOutput()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("%s -a: %w: %s", s.wstest, err, plainText(string(out)))
	}
	return strings.Join(strings.Fields(string(out)), " "), nil
}

// fuzzingClient is the run that tests servers and leaves its report in outdir. Both directories are absolute.
func (s suite) fuzzingClient(specDir, outdir string, agents []agent, cases []string) (*process, error) {
	return s.command(specDir, outdir, newClientSpec(s.seen(outdir, seenReport), agents, cases), "fuzzingclient")
}

// fuzzingServer is the run that tests clients, which find it at url.
func (s suite) fuzzingServer(specDir, outdir, url string, cases []string) (*process, error) {
	// Without a port for its web pages, which would be one more that may be taken.
	return s.command(specDir, outdir, newServerSpec(s.seen(outdir, seenReport), url, cases), "fuzzingserver", "--webport", "0")
}

// Where the suite finds what is mounted into its container.
const (
	seenReport = "/report"
	seenSpec   = "/spec"
)

// seen is dir as the suite sees it: itself, or where it is mounted.
func (s suite) seen(dir, mounted string) string {
	if s.docker != "" {
		return mounted
	}
	return dir
}

// command writes spec and builds the run of it.
func (s suite) command(specDir, outdir string, spec any, mode string, more ...string) (*process, error) {
	b, err := json.MarshalIndent(spec, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(specDir, specFile), b, 0o644); err != nil {
		return nil, err
	}
	args := append([]string{"-m", mode, "-s", filepath.Join(s.seen(specDir, seenSpec), specFile)}, more...)
	if s.docker == "" {
		// Python holds back what it prints into a pipe; with -v one wants to see the case that hangs.
		return &process{name: s.wstest, args: args, env: []string{"PYTHONUNBUFFERED=1"}, dir: specDir}, nil
	}
	container := fmt.Sprintf("wirebeat-autobahn-%d-%s", os.Getpid(), filepath.Base(specDir))
	run := []string{"run", "--rm", "--init", "--network", "host", "--name", container,
		// The report must belong to whoever started the gate, or a temporary one could not be removed.
		"--user", fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()),
		"-v", specDir + ":" + seenSpec + ":ro", "-v", outdir + ":" + seenReport, "-e", "PYTHONUNBUFFERED=1",
		s.image, "wstest"}
	return &process{name: s.docker, args: append(run, args...), dir: specDir,
		// Ending the docker client does not always end the container.
		after: []string{s.docker, "kill", container}}, nil
}

const specFile = "spec.json"
