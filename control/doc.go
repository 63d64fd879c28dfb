// Package control is the life of a connection beside its data: answering
// pings, limiting control frames, the closing handshake, and what is known of
// the peer's health.
//
// It is pure: time is an argument, nothing is read, written or started. A
// value belongs to one goroutine at a time.
package control
