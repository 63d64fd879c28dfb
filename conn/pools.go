package conn

import "sync"

const (
	// smallSize is what a read takes that may have to wait with its buffer.
	smallSize = 4 << 10
	// scratchSize is how much one read takes, and how many replies are
	// collected.
	scratchSize = 64 << 10
)

// pools keep buffers of a few sizes, as pointers to arrays, which go in and out
// without an allocation. What is smaller or larger is the garbage collector's.
type pools struct {
	k4, k16, k64, k128, k256, k512, k1024 sync.Pool
}

// Get returns a buffer with a capacity of at least size.
func (p *pools) Get(size int) []byte {
	switch {
	case size < smallSize/8:
	case size <= 4<<10:
		if b, ok := p.k4.Get().(*[4 << 10]byte); ok {
			return b[:]
		}
		size = 4 << 10
	case size <= 16<<10:
		if b, ok := p.k16.Get().(*[16 << 10]byte); ok {
			return b[:]
		}
		size = 16 << 10
	case size <= 64<<10:
		if b, ok := p.k64.Get().(*[64 << 10]byte); ok {
			return b[:]
		}
		size = 64 << 10
	case size <= 128<<10:
		if b, ok := p.k128.Get().(*[128 << 10]byte); ok {
			return b[:]
		}
		size = 128 << 10
	case size <= 256<<10:
		if b, ok := p.k256.Get().(*[256 << 10]byte); ok {
			return b[:]
		}
		size = 256 << 10
	case size <= 512<<10:
		if b, ok := p.k512.Get().(*[512 << 10]byte); ok {
			return b[:]
		}
		size = 512 << 10
	case size <= 1024<<10:
		if b, ok := p.k1024.Get().(*[1024 << 10]byte); ok {
			return b[:]
		}
		size = 1024 << 10
	}
	return make([]byte, size)
}

// Put takes a buffer back.
func (p *pools) Put(b []byte) {
	switch cap(b) {
	case 4 << 10:
		p.k4.Put((*[4 << 10]byte)(b[:4<<10]))
	case 16 << 10:
		p.k16.Put((*[16 << 10]byte)(b[:16<<10]))
	case 64 << 10:
		p.k64.Put((*[64 << 10]byte)(b[:64<<10]))
	case 128 << 10:
		p.k128.Put((*[128 << 10]byte)(b[:128<<10]))
	case 256 << 10:
		p.k256.Put((*[256 << 10]byte)(b[:256<<10]))
	case 512 << 10:
		p.k512.Put((*[512 << 10]byte)(b[:512<<10]))
	case 1024 << 10:
		p.k1024.Put((*[1024 << 10]byte)(b[:1024<<10]))
	}
}
