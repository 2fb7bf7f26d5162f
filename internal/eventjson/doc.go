// Package eventjson checks, decodes and encodes the JSON of an event stream.
//
// It exists because of two things that encoding/json does not give on a path
// that every event takes:
//
//   - Speed. [Valid] and [AppendLine] look at each byte once and allocate
//     nothing; [Decoder] yields the types that jq works with, in one pass that
//     also checks.
//   - Strictness. A value is accepted when it is JSON by RFC 8259 and valid
//     UTF-8; json.Valid does not look at the latter. Since white space is the
//     only place where valid JSON can hold a raw line break, a value that passed
//     can be put on one line without touching anything else.
//
// All parts agree on what JSON is: exactly one value, with white space around
// it, nested at most [MaxDepth] deep. The verdict is that of
// json.Valid(b) && utf8.Valid(b); fuzz tests hold the package to it.
package eventjson
