package handshake

import "strconv"

// Refusal is the HTTP answer to a request that opens no connection. It is an
// error, so that errors.As finds it behind whatever a server returns.
type Refusal struct {
	// Status is the HTTP status code.
	Status int
	// Reason is one sentence for the body. It holds nothing the client sent.
	Reason string
	// Header holds what the status calls for, such as Allow for 405, under
	// canonical field names. It belongs to the caller.
	Header map[string][]string
}

// Error returns the status and the reason.
func (r *Refusal) Error() string {
	return "handshake refused with " + strconv.Itoa(r.Status) + ": " + r.Reason
}

// refuse makes a Refusal with header fields given as name, value, name, value.
func refuse(status int, reason string, fields ...string) *Refusal {
	header := make(map[string][]string, len(fields)/2)
	for i := 0; i < len(fields); i += 2 {
		header[fields[i]] = []string{fields[i+1]}
	}
	return &Refusal{Status: status, Reason: reason, Header: header}
}

// statusTexts are the words of the status line, as registered with IANA. Any
// other status goes without, which RFC 9112 §4 allows.
var statusTexts = map[int]string{
	200: "OK",
	301: "Moved Permanently",
	302: "Found",
	303: "See Other",
	307: "Temporary Redirect",
	308: "Permanent Redirect",
	400: "Bad Request",
	401: "Unauthorized",
	402: "Payment Required",
	403: "Forbidden",
	404: "Not Found",
	405: "Method Not Allowed",
	406: "Not Acceptable",
	408: "Request Timeout",
	409: "Conflict",
	410: "Gone",
	413: "Content Too Large",
	414: "URI Too Long",
	421: "Misdirected Request",
	426: "Upgrade Required",
	429: "Too Many Requests",
	431: "Request Header Fields Too Large",
	451: "Unavailable For Legal Reasons",
	500: "Internal Server Error",
	501: "Not Implemented",
	502: "Bad Gateway",
	503: "Service Unavailable",
	504: "Gateway Timeout",
	505: "HTTP Version Not Supported",
}
