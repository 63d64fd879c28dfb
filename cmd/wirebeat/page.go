package main

import (
	"net/http"

	"github.com/wirebeat/wirebeat/server"
)

// page is the live page.
type page struct{ http.ServeMux }

func newPage() *page { return &page{} }

func (*page) opened(*server.Peer) {}
func (*page) closed(*server.Peer) {}
