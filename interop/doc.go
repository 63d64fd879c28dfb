// Package interop holds no code but the tests that run wirebeat with clients
// and servers of other people: README.md says how, and with what result.
package interop
