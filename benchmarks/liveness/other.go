//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "liveness: only Linux has what this rig is made of (network namespaces, TUN devices)")
	os.Exit(1)
}
