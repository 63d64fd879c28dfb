// Command liveness measures how engines find out that a peer is dead, and what
// that costs: wirebeat beside the idioms that the documentation of other
// libraries shows. README.md says what each scenario does and how to read it.
package main
