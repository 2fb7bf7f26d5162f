// Package output turns events into the bytes of stdout.
//
//	                    ┌─ conditions look ───────────┐
//	event ─▶ record ─▶ JSON value                     ▼
//	        (format)    └─ --jq ─▶ values ─▶ lines ─▶ conditions ─▶ Ended, Failed
//	                                          │
//	                             style ◀──────┴▶ one 64 KiB buffer ─▶ stdout
//
// The rules:
//
//   - Each line is exactly one JSON value, whatever came in and whatever a filter
//     made of it. Only raw output ([Options.Raw]) and what is asked for to be read by
//     people ([Style]) are exempt.
//   - A [Condition] is a value that looks at events and says whether the stream ends;
//     what it keeps of them is bounded.
//   - What a filter returns untouched is printed as it came: the bytes of the
//     message, not another encoding of the same value.
//   - Without a filter no value is decoded and nothing is allocated for an event, nor
//     with expressions that a [jq.Set] evaluates on its bytes.
//   - Output is written when the buffer is full and when [Writer.Flush] says that
//     nothing more waits, never once per event.
//   - What goes wrong inside an expression is a matter of one event.
package output
