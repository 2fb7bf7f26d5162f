// Package deliver has the destinations of --to, one in a row of one list, and their flags.
package deliver
