package wheel

// slots is how many ticks one turn of the wheel has. An entry that is due
// after more than a turn stays in its slot until its turn has come.
const slots = 1024

const none = -1

// Wheel is ready after New.
type Wheel struct {
	now     uint32           // the last tick that was advanced to
	heads   [slots + 1]int32 // the last is of the entries that are being called
	entries []entry
	free    int32
	set     int
}

type entry struct {
	next, prev int32 // prev of a slot's first entry is ^slot
	due        uint32
}

const unset = -slots - 2 // prev of an entry that is not in a slot

// New returns a wheel at the given tick.
func New(now uint32) *Wheel {
	w := &Wheel{now: now, free: none}
	for i := range w.heads {
		w.heads[i] = none
	}
	return w
}

// Add makes an entry, which is not set, and returns its identifier: small
// numbers, used again after Remove.
func (w *Wheel) Add() int32 {
	id := w.free
	if id == none {
		id = int32(len(w.entries))
		w.entries = append(w.entries, entry{})
	} else {
		w.free = w.entries[id].next
	}
	w.entries[id] = entry{next: none, prev: unset}
	return id
}

// Remove frees an entry; its identifier will be used again.
func (w *Wheel) Remove(id int32) {
	w.Clear(id)
	w.entries[id].next = w.free
	w.free = id
}

// Set makes the entry due at a tick, instead of when it was due before. A tick
// that has passed is due with the next one.
func (w *Wheel) Set(id int32, due uint32) {
	w.Clear(id)
	if int32(due-w.now) <= 0 {
		due = w.now + 1
	}
	w.entries[id].due = due
	w.link(id, int32(due%slots))
}

func (w *Wheel) link(id, slot int32) {
	e := &w.entries[id]
	e.prev, e.next = ^slot, w.heads[slot]
	if e.next != none {
		w.entries[e.next].prev = id
	}
	w.heads[slot] = id
	w.set++
}

// Clear makes the entry due never.
func (w *Wheel) Clear(id int32) {
	e := &w.entries[id]
	if e.prev == unset {
		return
	}
	if e.prev < 0 {
		w.heads[^e.prev] = e.next
	} else {
		w.entries[e.prev].next = e.next
	}
	if e.next != none {
		w.entries[e.next].prev = e.prev
	}
	e.next, e.prev = none, unset
	w.set--
}

// Due returns the tick at which an entry is due; ok is false if it is not set.
func (w *Wheel) Due(id int32) (due uint32, ok bool) {
	e := &w.entries[id]
	return e.due, e.prev != unset
}

// Refine makes ticks shorter: each becomes k. What would be due in more ticks
// than can be told from the past is due in as many as can.
func (w *Wheel) Refine(k uint32) {
	was := w.now
	w.now *= k
	for id := range w.entries {
		if due, ok := w.Due(int32(id)); ok {
			left := min(uint64(due-was)*uint64(k), 1<<31-1)
			w.Set(int32(id), w.now+uint32(left))
		}
	}
}

// Len returns how many entries are set.
func (w *Wheel) Len() int { return w.set }

// Now returns the last tick that was advanced to.
func (w *Wheel) Now() uint32 { return w.now }

// Advance moves to a tick, which may be any number of ticks later, and calls
// due for each entry that has become due, which is not set any more. due may
// call every method but Advance and Refine.
func (w *Wheel) Advance(now uint32, due func(id int32)) {
	from := w.now
	w.now = now // so that what due sets is due after now, and is not missed
	for steps := min(now-from, slots); steps > 0 && w.set > 0; steps-- {
		from++
		w.fire(from%slots, now, due)
	}
}

// fire calls due for the entries of a slot that are due at limit. They are put
// aside first, so that due may set, clear and remove any entry.
func (w *Wheel) fire(slot, limit uint32, due func(id int32)) {
	for id := w.heads[slot]; id != none; {
		next := w.entries[id].next
		if int32(w.entries[id].due-limit) <= 0 {
			w.Clear(id)
			w.link(id, slots)
		}
		id = next
	}
	for id := w.heads[slots]; id != none; id = w.heads[slots] {
		w.Clear(id)
		due(id)
	}
}
