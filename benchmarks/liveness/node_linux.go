package main

import (
	"context"
	"crypto/sha256"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// nodeName is the idiom that is no Go.
const nodeName = "ws"

//go:embed node/server.mjs node/package.json node/package-lock.json
var nodeFiles embed.FS

func init() { idioms = append(idioms, idiom{nodeName, nil}) }

// nodeArgs is how to start Node's server.
func nodeArgs(host string, o serveOptions) ([]string, error) {
	dir, err := nodeInstalled()
	if err != nil {
		return nil, err
	}
	return []string{"node", filepath.Join(dir, "server.mjs"), host,
		strconv.FormatInt(o.sweep().Milliseconds(), 10), strconv.FormatInt(o.every.Milliseconds(), 10)}, nil
}

// nodeInstalled returns a directory of the user's cache with the server and the
// version of ws that the lock file pins. Its name is a hash of all files.
var nodeInstalled = sync.OnceValues(func() (string, error) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", absent{err}
		}
	}
	names := []string{"server.mjs", "package.json", "package-lock.json"}
	hash := sha256.New()
	for _, name := range names {
		b, err := nodeFiles.ReadFile("node/" + name)
		if err != nil {
			return "", err
		}
		hash.Write(b)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, "wirebeat", "liveness", fmt.Sprintf("node-%x", hash.Sum(nil)[:6]))
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "ws", "package.json")); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, name := range names {
		b, _ := nodeFiles.ReadFile("node/" + name)
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", absent{fmt.Errorf("npm ci: %w: %s", err, out)}
	}
	return dir, nil
})
