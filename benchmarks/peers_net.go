package main

import "net"

// bare-net echoes bytes through net.Conn: what a goroutine a connection costs
// before a frame is looked at.
func init() {
	registerRaw("bare-net", func(ln net.Listener) error {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return err
			}
			go echoBytes(nc)
		}
	})
}

func echoBytes(nc net.Conn) {
	defer nc.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := nc.Read(buf)
		if err != nil {
			return
		}
		if _, err := nc.Write(buf[:n]); err != nil {
			return
		}
	}
}
