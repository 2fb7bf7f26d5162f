// Package cursor keeps the position of a stream in a file, so that the next process
// continues where this one has ended, however it has ended.
//
//	event ─▶ Order.Begin … Done ─▶ [in the order of the events] ─▶ Keeper.Move ─▶ File.Save
//
// What a position is, only its service knows.
package cursor
