// Package lifeline ends a server when the process that started it is gone.
package lifeline

import (
	"io"
	"os"
)

// Watch ends this process as soon as its standard input is closed. The parent holds the other end of that pipe, so the
// kernel closes it however the parent ends, also when it was killed.
func Watch() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
}
