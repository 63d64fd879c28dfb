package conn_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

// segment is messages that arrive together.
func (p *peer) segment(n int) (b []byte) {
	for i := range n {
		b = append(b, p.text(fmt.Sprint("message ", i))...)
	}
	return b
}

func TestRepliesToABatchLeaveTogether(t *testing.T) {
	inMemory(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		a := p.nc.(*memoryConn)
		p.send(p.segment(64))
		go echo(t.ctx(), c)
		t.calm()
		before := a.reads.Load()
		for i := range 64 {
			p.expect(frame.Text, fmt.Sprint("message ", i))
		}
		require.LessOrEqual(t, a.reads.Load()-before, int64(2), "reads for 64 replies")
	})
	onTCP(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		p.send(p.segment(64))
		t.calm() // all is there before the first is read
		go echo(t.ctx(), c)
		got, reads := []byte(nil), 0
		want := 0
		for i := range 64 {
			want += 2 + len(fmt.Sprint("message ", i))
		}
		for b := make([]byte, 64<<10); len(got) < want; reads++ {
			p.nc.SetReadDeadline(time.Now().Add(patience))
			n, err := p.nc.Read(b)
			require.NoError(t, err)
			got = append(got, b[:n]...)
		}
		require.LessOrEqual(t, reads, 8, "reads for 64 replies")
	})
}

func TestAReplyWaitsAMillisecondForASlowHandler(t *testing.T) {
	onEach(t, func(t *rig) {
		for _, write := range writeMethods {
			c, p := t.server(conn.Options{})
			p.send(p.segment(3))
			t.calm()
			start := time.Now()
			go func() {
				i := 0
				for m, err := range c.Messages(t.ctx()) {
					if err != nil {
						return
					}
					if i++; i == 2 {
						time.Sleep(time.Second)
					}
					write(t, c, m.Type, bytes.Clone(m.Data))
				}
			}()
			p.expect(frame.Text, "message 0")
			limit := time.Millisecond
			if !t.memory {
				limit = 300 * time.Millisecond // the machine may be busy
			}
			require.LessOrEqual(t, time.Since(start), limit)
			p.expect(frame.Text, "message 1")
			p.expect(frame.Text, "message 2")
			require.GreaterOrEqual(t, time.Since(start), time.Second)
			c.CloseNow()
			if !t.memory {
				break // once is enough in real time
			}
		}
	})
}

func TestAWriteOutsideABatchLeavesAtOnce(t *testing.T) {
	inMemory(t, func(t *rig) {
		for name, write := range writeMethods {
			c, p := t.server(conn.Options{})
			start := time.Now()
			require.NoError(t, write(t, c, conn.Text, []byte("now")))
			p.expect(frame.Text, "now")
			require.Equal(t, start, time.Now(), name)

			p.send(p.text("alone"))
			_, _, err := c.ReadMessage(t.ctx())
			require.NoError(t, err)
			require.NoError(t, write(t, c, conn.Text, []byte("a reply")))
			p.expect(frame.Text, "a reply")
			require.Equal(t, start, time.Now(), "%s of a reply to a message that came alone", name)

			p.send(p.segment(2))
			for i := range 2 {
				_, _, err := c.ReadMessage(t.ctx())
				require.NoError(t, err)
				require.NoError(t, write(t, c, conn.Text, []byte{'0' + byte(i)}))
			}
			p.expect(frame.Text, "0")
			p.expect(frame.Text, "1")
			require.Equal(t, start, time.Now(), "%s of a reply to the last message of a batch", name)
		}
	})
}

func TestRepliesLeaveBeforeTheNextReadWaits(t *testing.T) {
	inMemory(t, func(t *rig) {
		for name, read := range readMethods {
			c, p := t.server(conn.Options{})
			partial := p.text("the third message is not all there")
			p.send(p.segment(2), partial[:9])
			start := time.Now()
			_, _, err := read(t, c)
			require.NoError(t, err)
			require.NoError(t, c.Write(t.ctx(), conn.Text, []byte("one")))
			go func() {
				read(t, c) // the second has no reply
				read(t, c)
			}()
			p.expect(frame.Text, "one")
			require.Equal(t, start, time.Now(), name)
			p.send(partial[9:])
			t.calm()
		}
	})
}

func TestManyRepliesLeaveAt64KiB(t *testing.T) {
	inMemory(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		p.send(p.segment(3))
		_, _, err := c.ReadMessage(t.ctx())
		require.NoError(t, err)
		start := time.Now()
		for range 65 {
			require.NoError(t, c.Write(t.ctx(), conn.Binary, pattern(1020)))
		}
		p.expect(frame.Binary, string(pattern(1020)))
		require.Equal(t, start, time.Now(), "a full collection does not wait for the batch")
	})
}

func TestQueuedMessagesLeaveWithinAMillisecond(t *testing.T) {
	inMemory(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		for round := range 3 {
			start := time.Now()
			message := []byte("one")
			require.NoError(t, c.Queue(conn.Text, message))
			clear(message) // it was copied
			require.NoError(t, c.Queue(conn.Text, []byte("two")))
			t.calm()
			require.Zero(t, p.nc.(*memoryConn).in.size, "round %d: it waits for company", round)
			p.expect(frame.Text, "one")
			p.expect(frame.Text, "two")
			require.Equal(t, time.Millisecond, time.Since(start))

			start = time.Now()
			require.NoError(t, c.Queue(conn.Text, []byte("three")))
			require.NoError(t, c.Write(t.ctx(), conn.Text, []byte("four")))
			p.expect(frame.Text, "three")
			p.expect(frame.Text, "four")
			require.Equal(t, start, time.Now(), "a Write takes along what is queued")
		}
	})
	onTCP(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		require.NoError(t, c.Queue(conn.Text, []byte("on its own")))
		p.expect(frame.Text, "on its own")
	})
}

func TestPingsThatComeWithMessagesAreAllAnswered(t *testing.T) {
	tests := []struct {
		name    string
		mode    control.PongMode
		pings   int // in each segment, before its message
		rounds  int
		replies bool
	}{
		{"one with each of many messages", control.Auto, 1, 100, true},
		{"one with each of many messages without a reply", control.Auto, 1, 100, false},
		{"more than the budget at once", control.Auto, 40, 3, true},
		{"more than the budget at once, without a reply", control.Auto, 40, 3, false},
		{"one, and only the newest is answered", control.Coalesce, 1, 20, true},
		{"five, and only the newest is answered", control.Coalesce, 5, 20, false},
		{"all", control.Strict, 40, 3, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			onEach(t, func(t *rig) {
				c, p := t.server(conn.Options{Pong: test.mode})
				go func() {
					for m, err := range c.Messages(t.ctx()) {
						if err != nil {
							return
						}
						if test.replies {
							c.Write(t.ctx(), m.Type, m.Data)
						}
					}
				}()
				for round := range test.rounds {
					var b []byte
					newest := ""
					for i := range test.pings {
						newest = fmt.Sprint("ping ", round, ".", i)
						b = append(b, p.ping(newest)...)
					}
					p.send(b, p.text("message"))
					pong, reply := false, !test.replies
					for !pong || !reply {
						h, got, err := p.read()
						require.NoError(t, err, "the newest ping of round %d has no answer", round)
						if h.Opcode == frame.Pong {
							pong = pong || string(got) == newest
						} else {
							require.Equal(t, "message", string(got))
							reply = true
						}
					}
				}
			})
		})
	}
}
