// Package repotest tests the repository itself: which package may import which, and
// what the README, the pages in docs and the recording show.
package repotest
