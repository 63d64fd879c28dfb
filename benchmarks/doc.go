// Command benchmarks compares wirebeat with other WebSocket engines: as echo
// servers over loopback, by what a message costs the server in CPU time, and as
// bare engines in memory. README.md says how it measures and how to read it.
package main
