// Package control is the life of a connection beside its data: answering
// pings, finding out whether the peer is alive, limiting control frames, the
// closing handshake.
//
// A [Monitor] does the finding out. Whoever drives a connection has it look
// when it said it wants to, tells it what there is to see, and does what it
// says: see package conn for one that has all the senses, and the example for
// one that has none.
//
// It is pure: time is an argument, nothing is read, written or started. A
// value belongs to one goroutine at a time.
package control
