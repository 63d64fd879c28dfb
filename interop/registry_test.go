package interop

import (
	"path/filepath"
)

// peer is somebody else's implementation.
type peer struct {
	name string
	// client returns the program that runs cases as a client, with what it
	// needs installed: it is called with "client" and a file of cases. It is
	// nil for peers that are driven otherwise.
	client func() (command, error)
	// server returns the program that is a server, called with "server" and the
	// subprotocols that it speaks. It is nil for peers that are none.
	server func() (command, error)
}

// registry has the peers in the order of the table.
var registry = []*peer{
	{name: "ws", client: inNode("ws"), server: inNode("ws")},
	{name: "Bun", client: inBun("bun"), server: inBun("bun")},
	{name: "Deno", client: inDeno("deno"), server: inDeno("deno")},
	{name: "websockets", client: inPython("websockets"), server: inPython("websockets")},
	{name: "aiohttp", client: inPython("aiohttp"), server: inPython("aiohttp")},
	{name: "gorilla", client: inGo("gorilla"), server: inGo("gorilla")},
	{name: "coder", client: inGo("coder"), server: inGo("coder")},
	{name: "gws", client: inGo("gws"), server: inGo("gws")},
	{name: "gobwas", client: inGo("gobwas"), server: inGo("gobwas")},
	{name: "tokio-tungstenite", client: inRust, server: inRust},
	{name: curlName},
	{name: chromiumName},
	{name: pageName},
}

func inNode(dir string) func() (command, error) {
	return func() (command, error) {
		node, err := find("node")
		if err != nil {
			return command{}, err
		}
		modules, err := nodeModules()
		script := filepath.Join("peers", dir, "peer.mjs")
		return command{path: node, args: []string{script}, env: []string{"NODE_MODULES=" + modules}}, err
	}
}

func inBun(dir string) func() (command, error) {
	return func() (command, error) {
		bun, err := fromNPM("@oven/bun-*/bin/bun")
		script := filepath.Join("peers", dir, "peer.mjs")
		return command{path: bun, args: []string{"run", "--no-install", script}, env: []string{"DO_NOT_TRACK=1"}}, err
	}
}

func inDeno(dir string) func() (command, error) {
	return func() (command, error) {
		deno, err := fromNPM("@deno/*/deno")
		script := filepath.Join("peers", dir, "peer.mjs")
		return command{
			path: deno,
			args: []string{"run", "--allow-all", "--no-config", "--no-lock", "--no-remote", "--quiet", script},
			env:  []string{"DENO_DIR=" + filepath.Join(scratch, "deno"), "DENO_NO_UPDATE_CHECK=1"},
		}, err
	}
}

func inPython(dir string) func() (command, error) {
	return func() (command, error) {
		c, err := python()
		return c.with(filepath.Join("peers", dir, "peer.py")), err
	}
}

func inGo(name string) func() (command, error) {
	return func() (command, error) {
		dir, err := programs()
		return command{path: filepath.Join(dir, name)}, err
	}
}

func inRust() (command, error) {
	path, err := tungstenite()
	return command{path: path}, err
}
