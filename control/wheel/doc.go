// Package wheel is a hashed timing wheel: any number of entries, each due at a
// tick, set, moved and removed in constant time. It knows nothing of clocks or
// connections: ticks come in, identifiers of due entries go out.
//
// Entries are links of a slab and hold no pointers, so a million of them cost
// the garbage collector nothing. A Wheel belongs to one goroutine at a time.
package wheel
