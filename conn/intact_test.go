package conn_test

import (
	"bytes"
	"encoding/binary"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
)

// A server borrows large messages and keeps what a full socket did not take.
// Meanwhile other connections take and give the same buffers.
func TestWhatASlowPeerGetsIsIntactWhileBuffersAreReused(t *testing.T) {
	onEach(t, func(t *rig) {
		busy, other := t.both(conn.Options{})
		go echo(t.ctx(), other)
		stop := make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, n := range []int{10, 5000, 60_000} {
					if busy.Write(t.ctx(), conn.Binary, bytes.Repeat([]byte{0xff}, n)) != nil {
						return
					}
					if _, _, err := busy.ReadMessage(t.ctx()); err != nil {
						return
					}
				}
			}
		})

		t.room = 64 << 10
		for _, maxFrame := range []int{0, 5000} {
			to, from := t.both(conn.Options{MaxFrame: maxFrame, MaxOutput: 256 << 10})
			const writers, messages = 4, 120
			for w := range writers {
				all.Go(func() {
					for i := range messages {
						var err error
						if m := numbered(w, i); i%3 == 0 {
							err = from.Write(t.ctx(), conn.Binary, append(m, pattern(9000)...))
						} else {
							err = from.Write(t.ctx(), conn.Binary, m)
						}
						if err != nil {
							t.Errorf("writer %d, message %d: %v", w, i, err)
							return
						}
					}
				})
			}
			next := make([]int, writers)
			for range writers * messages {
				_, b, err := to.ReadMessage(t.ctx())
				require.NoError(t, err)
				w := int(binary.BigEndian.Uint32(b))
				require.Less(t, w, writers)
				m := numbered(w, next[w])
				if next[w]%3 == 0 {
					m = append(m, pattern(9000)...)
				}
				require.True(t, bytes.Equal(m, b), "message %d of writer %d changed", next[w], w)
				next[w]++
			}
		}
		close(stop)
		all.Wait()
	})
}
