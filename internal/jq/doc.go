// Package jq compiles and runs jq expressions. It is the only home of gojq.
//
//	text ─ Compile ─▶ Filter ─┬─ Pipeline ─▶ values, of one input after another
//	         │                ├─ Set, Native ─▶ the same, of the bytes of an input
//	         │                ├─ Matches ─▶ does it hold
//	         ▼                ├─ Reason ─▶ why it did not
//	       Error ─ Caret      └─ Needs ─▶ what of an input must be decoded
//
// Expressions from files run as a [Program] instead: it sees nothing but its input and
// its variables, and its time, its outputs and the size of its values have limits.
//
// The rules:
//
//   - A [Filter] is compiled before anything is dialed, so that a mistake in it is a
//     matter of usage.
//   - A [Set] says what gojq says, or that it cannot say it.
//   - Inputs have the types of eventjson.Decoder, and are never changed.
//   - What an expression says of an input is the same whatever ran before it.
//   - Messages may quote what a server sent; they are short, and nothing acts.
package jq
