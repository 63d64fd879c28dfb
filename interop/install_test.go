package interop

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// installing is how long one installation may take.
const installing = 5 * time.Minute

// absent is the error for what this machine has not, or cannot get, as opposed
// to what does not work.
type absent struct{ error }

func (a absent) Unwrap() error { return a.error }

// ci: what is absent is a failure.
var ci = os.Getenv("CI") == "true"

// unavailable ends the test of a peer that cannot be had here.
func unavailable(t *testing.T, name string, err error) {
	t.Helper()
	if !errors.As(err, &absent{}) {
		t.Fatal(err)
	}
	if ci {
		t.Fatalf("with CI=true every peer must run: %v", err)
	}
	why, _, _ := strings.Cut(err.Error(), "\n")
	results.skip(name, why)
	t.Skip(err)
}

// find looks for the first of some programs.
func find(names ...string) (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", absent{fmt.Errorf("no %s on this machine", strings.Join(names, " or "))}
}

// cached returns a directory that fill fills if it does not exist. Its name has
// a hash of the files that pin what is in it, and of the platform if that
// matters. It is filled under another name, so that one that exists is whole.
func cached(name, platform string, pins []string, fill func(ctx context.Context, dir string) error) (string, error) {
	key := sha256.New()
	fmt.Fprintln(key, platform)
	for _, pin := range pins {
		text, err := os.ReadFile(pin)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(key, "%d %s\n", len(text), text)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	base = filepath.Join(base, "wirebeat", "interop")
	dir := filepath.Join(base, fmt.Sprintf("%s-%x", name, key.Sum(nil)[:6]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", err
	}
	unfinished, err := os.MkdirTemp(base, "."+name+"-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(unfinished)
	ctx, cancel := context.WithTimeout(context.Background(), installing)
	defer cancel()
	if err := fill(ctx, unfinished); err != nil {
		return "", absent{fmt.Errorf("cannot get what %s needs: %w", name, err)}
	}
	if err := os.Rename(unfinished, dir); err != nil {
		if _, exists := os.Stat(dir); exists != nil {
			return "", err
		}
		// Another run was faster.
	}
	return dir, nil
}

// nodeModules has the packages of package-lock.json. Their scripts do not run:
// all they would do is to link the programs that are found without it.
var nodeModules = sync.OnceValues(func() (string, error) {
	npm, err := find("npm")
	if err != nil {
		return "", err
	}
	pins := []string{"peers/package.json", "peers/package-lock.json"}
	dir, err := cached("node", "", pins, func(ctx context.Context, dir string) error {
		for _, pin := range pins {
			text, err := os.ReadFile(pin)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(pin)), text, 0o644); err != nil {
				return err
			}
		}
		_, err := command{path: npm, args: []string{"ci", "--ignore-scripts", "--no-audit", "--no-fund"}, dir: dir}.run(ctx)
		return err
	})
	return filepath.Join(dir, "node_modules"), err
})

// fromNPM finds the program of a package that has one for each platform.
func fromNPM(pattern string) (string, error) {
	modules, err := nodeModules()
	if err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(modules, pattern))
	if err != nil {
		return "", err
	}
	for _, path := range found {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		_, err = command{path: path, args: []string{"--version"}}.run(ctx)
		cancel()
		if err == nil {
			return path, nil
		}
	}
	return "", absent{errors.Join(fmt.Errorf("no %s for this machine", pattern), err)}
}

// python is an interpreter that finds the packages of requirements.txt.
var python = sync.OnceValues(func() (command, error) {
	path, err := find("python3")
	if err != nil {
		return command{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// Behind the name may be a script that chooses, and takes its time.
	which := "import sys, sysconfig; print(sys.executable); print(sysconfig.get_platform(), sys.version)"
	said, err := command{path: path, args: []string{"-c", which}}.run(ctx)
	if err != nil {
		return command{}, err
	}
	path, version, _ := strings.Cut(said, "\n")
	pins := []string{"peers/requirements.txt"}
	dir, err := cached("python", version, pins, func(ctx context.Context, dir string) error {
		_, err := command{path: path, args: []string{"-m", "pip", "install", "--disable-pip-version-check",
			"--no-deps", "--target", dir, "-r", pins[0]}}.run(ctx)
		return err
	})
	// Nothing is to be written beside the scripts.
	return command{path: path, env: []string{"PYTHONPATH=" + dir, "PYTHONNOUSERSITE=1", "PYTHONDONTWRITEBYTECODE=1"}}, err
})

// tungstenite is built by cargo, which knows what is left to do, in a directory
// that exists once its dependencies were fetched.
var tungstenite = sync.OnceValues(func() (string, error) {
	cargo, err := find("cargo")
	if err != nil {
		return "", err
	}
	const manifest = "peers/tungstenite/Cargo.toml"
	dir, err := cached("cargo", "", []string{"peers/tungstenite/Cargo.lock"}, func(ctx context.Context, _ string) error {
		_, err := command{path: cargo, args: []string{"fetch", "--locked", "--manifest-path", manifest}}.run(ctx)
		return err
	})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), installing)
	defer cancel()
	_, err = command{path: cargo, args: []string{"build", "--quiet", "--locked",
		"--manifest-path", manifest, "--target-dir", dir}}.run(ctx)
	return filepath.Join(dir, "debug", "interop-tungstenite"), err
})

// programs is where the peers in Go are built.
var programs = sync.OnceValues(func() (string, error) {
	return scratch, build(".", "./peers/gorilla", "./peers/coder", "./peers/gws", "./peers/gobwas")
})

// wirebeat is our own command, built by its own module.
var wirebeat = sync.OnceValues(func() (string, error) {
	return filepath.Join(scratch, "wirebeat"), build("..", "./cmd/wirebeat")
})

// build builds programs in Go.
func build(module string, packages ...string) error {
	goTool, err := find("go")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), installing)
	defer cancel()
	if _, err := (command{path: goTool, args: []string{"mod", "download"}, dir: module}).run(ctx); err != nil {
		return absent{err}
	}
	args := append([]string{"build", "-o", scratch + string(filepath.Separator)}, packages...)
	_, err = command{path: goTool, args: args, dir: module}.run(ctx)
	return err
}

// scratch is a directory that TestMain makes and removes.
var scratch string
