// Package repotest tests the repository itself: the imports of packages, and the
// examples in the README, in docs and in the recording.
package repotest
