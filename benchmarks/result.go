package main

// A result is what one run over loopback measured. There is none unless every
// byte was right.
type result struct {
	MessagesPerCPUSecond float64 `json:"messages_per_cpu_second"`
	MessagesPerSecond    float64 `json:"messages_per_second"`
	ServerLoad           float64 `json:"server_load"` // CPU seconds per second
	P50                  float64 `json:"p50_us"`      // of a batch's round trip
	P99                  float64 `json:"p99_us"`
	PongsPerPing         float64 `json:"pongs_per_ping,omitempty"`
}

// A cost is what one run of an engine in memory measured.
type cost struct {
	Nanoseconds float64 `json:"ns_per_message"`
	Allocations float64 `json:"allocations_per_message"`
}
