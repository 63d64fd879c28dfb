package conn

import (
	"crypto/rand"
	"sync"
)

// keys gives out masking keys, having read 4 KiB of them at a time.
type keys struct {
	mu  sync.Mutex
	buf [4 << 10]byte
	n   int // not given out yet, at the end of buf
}

func (k *keys) Read(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(p) > len(k.buf) {
		return rand.Read(p)
	}
	if k.n < len(p) {
		if _, err := rand.Read(k.buf[:]); err != nil {
			return 0, err
		}
		k.n = len(k.buf)
	}
	at := len(k.buf) - k.n
	k.n -= copy(p, k.buf[at:])
	clear(k.buf[at : at+len(p)])
	return len(p), nil
}
