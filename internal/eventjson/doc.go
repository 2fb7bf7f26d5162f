// Package eventjson checks, decodes and encodes the JSON of an event stream.
//
// It exists because of two properties that encoding/json does not have, on a path that
// every event takes:
//
//   - Speed. [Valid] and [AppendLine] read each byte once and allocate
//     nothing; [Decoder] yields the types that jq works with, in one pass that
//     also checks.
//   - Strictness. A value is accepted when it is JSON by RFC 8259 and valid
//     UTF-8; json.Valid does not check the latter. Since white space is the
//     only place where valid JSON can contain a raw line break, a valid value
//     can be put on one line without touching anything else.
//
// All parts agree on what JSON is: exactly one value, with white space around it,
// nested at most [MaxDepth] deep. The result is that of json.Valid(b) && utf8.Valid(b),
// which fuzz tests check.
package eventjson
