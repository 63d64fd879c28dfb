package conn_test

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/frame"
)

func TestAReaderGivesTheBeginningOfAMessageThatIsNotThere(t *testing.T) {
	onEach(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		for _, n := range []int{100, 100_000, 1 << 20} {
			whole := p.frame(true, conn.Text, pattern(n))
			half := len(whole) / 2
			sent := later(func() error { p.send(whole[:half]); return nil })
			typ, r, err := c.Reader(t.ctx())
			require.NoError(t, err)
			require.Equal(t, conn.Text, typ)
			got := make([]byte, half-14)
			_, err = io.ReadFull(r, got)
			require.NoError(t, err)
			await(t, sent, "the first half to be taken")

			sent = later(func() error { p.send(whole[half:]); return nil })
			rest, err := io.ReadAll(r)
			require.NoError(t, err)
			require.True(t, bytes.Equal(pattern(n), append(got, rest...)))
			_, err = r.Read(make([]byte, 1))
			require.Equal(t, io.EOF, err, "and it stays at its end")
			await(t, sent, "the second half to be taken")
		}
	})
}

func TestTheRestOfAnAbandonedReaderIsSkipped(t *testing.T) {
	for name, read := range readMethods {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *rig) {
				for _, n := range []int{10, 5000, 300_000} {
					for _, fragments := range []int{1, 5} {
						for _, taken := range []int{0, 3, n - 1, n} {
							c, p := t.server(conn.Options{})
							sent := later(func() error {
								for i := range fragments {
									op := conn.Text
									if i > 0 {
										op = frame.Continuation
									}
									from, to := i*n/fragments, (i+1)*n/fragments
									p.send(p.frame(i == fragments-1, op, pattern(n)[from:to]))
								}
								p.send(p.frame(true, conn.Binary, []byte("the next")), p.text("one more"))
								return nil
							})
							_, old, err := c.Reader(t.ctx())
							require.NoError(t, err)
							got := make([]byte, taken)
							_, err = io.ReadFull(old, got)
							require.NoError(t, err)
							require.True(t, bytes.Equal(pattern(n)[:taken], got))

							typ, b, err := read(t, c)
							require.NoError(t, err)
							require.Equal(t, conn.Binary, typ)
							require.Equal(t, "the next", string(b))
							for range 2 {
								k, err := old.Read(got)
								require.Zero(t, k, "an old reader gives nothing")
								require.Error(t, err)
								require.NotEqual(t, io.EOF, err, "the message has not ended for it")
							}
							_, b, err = c.ReadMessage(t.ctx())
							require.NoError(t, err)
							require.Equal(t, "one more", string(b), "an old reader takes nothing")
							await(t, sent, "all of it to be taken")
						}
					}
				}
			})
		})
	}
}

func TestAReadOfNothingWaitsForNothing(t *testing.T) {
	onEach(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		p.send(p.frame(false, conn.Text, []byte("a")))
		_, r, err := c.Reader(t.ctx())
		require.NoError(t, err)
		n, err := r.Read(nil)
		require.NoError(t, err)
		require.Zero(t, n)
		_, err = io.ReadFull(r, make([]byte, 1))
		require.NoError(t, err)
		n, err = r.Read(nil)
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

func TestMessagesInALoopMayBeReadByAnythingElseToo(t *testing.T) {
	onEach(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		for i := range 7 {
			p.send(p.text(fmt.Sprint("message ", i)))
		}
		turns := 0
		for m, err := range c.Messages(t.ctx()) {
			require.NoError(t, err)
			switch turns++; turns {
			case 1:
				_, b, err := c.ReadMessage(t.ctx())
				require.NoError(t, err)
				require.Equal(t, "message 1", string(b))
				require.Equal(t, "message 0", string(m.Data), "what is lent stays what it was")
			case 2:
				_, r, err := c.Reader(t.ctx())
				require.NoError(t, err)
				_, err = r.Read(make([]byte, 3)) // and is abandoned
				require.NoError(t, err)
				require.Equal(t, "message 2", string(m.Data))
			case 3:
				for inner, err := range c.Messages(t.ctx()) {
					require.NoError(t, err)
					require.Equal(t, "message 5", string(inner.Data))
					break
				}
				require.Equal(t, "message 4", string(m.Data))
			case 4:
				require.Equal(t, "message 6", string(m.Data))
			}
			if turns == 4 {
				break
			}
		}
		p.send(p.text("behind the loop"))
		_, b, err := c.ReadMessage(t.ctx())
		require.NoError(t, err)
		require.Equal(t, "behind the loop", string(b))
	})
}

func TestAMessageIsLentForItsTurnWhateverOthersRead(t *testing.T) {
	for _, n := range []int{1000, 70_000, 400_000} { // in the read buffer, and beside it
		t.Run(fmt.Sprint(n, " bytes"), func(t *testing.T) {
			onEach(t, func(t *rig) {
				client, server := t.both(conn.Options{})
				const loops, turns = 3, 40
				go func() {
					for i := range loops * turns {
						if client.Write(t.ctx(), conn.Binary, bytes.Repeat([]byte{byte(i)}, n)) != nil {
							return
						}
					}
				}()
				var others sync.WaitGroup
				failed := make(chan string, loops)
				for range loops {
					others.Go(func() {
						turn := 0
						var last conn.Message
						for m, err := range server.Messages(t.ctx()) {
							if err != nil {
								failed <- err.Error()
								return
							}
							time.Sleep(time.Millisecond) // and others read on
							if len(m.Data) != n || !bytes.Equal(m.Data, bytes.Repeat(m.Data[:1], n)) {
								failed <- "a message changed while it was lent"
								return
							}
							last = m
							if turn++; turn == turns {
								break
							}
						}
						_ = last
						failed <- ""
					})
				}
				for range loops {
					require.Empty(t, await(t, failed, "the end of a loop"))
				}
				others.Wait()
			})
		})
	}
}

func TestEachMessageReachesOneOfSeveralReaders(t *testing.T) {
	onEach(t, func(t *rig) {
		client, server := t.both(conn.Options{})
		const readers, messages = 8, 400
		go func() {
			for i := range messages {
				if client.Write(t.ctx(), conn.Text, fmt.Append(nil, i)) != nil {
					return
				}
			}
		}()
		got := make(chan string, messages)
		var all sync.WaitGroup
		for i := range readers {
			all.Go(func() {
				for range messages / readers {
					var b []byte
					var err error
					switch i % 3 {
					case 0:
						_, b, err = server.ReadMessage(t.ctx())
					case 1:
						_, b, err = server.AppendMessage(t.ctx(), nil)
					case 2:
						for m, e := range server.Messages(t.ctx()) {
							b, err = append(b, m.Data...), e
							break
						}
					}
					if err != nil {
						got <- err.Error()
						return
					}
					got <- string(b)
				}
			})
		}
		seen := map[string]bool{}
		for range messages {
			m := await(t, got, "a message")
			require.False(t, seen[m], "%q came twice", m)
			seen[m] = true
		}
		all.Wait()
		for i := range messages {
			require.True(t, seen[fmt.Sprint(i)], "message %d was lost", i)
		}
	})
}
