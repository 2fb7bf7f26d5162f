//go:build unix

package commands

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// runJetstream is the command jetstream of scripts:
//
//	jetstream ADDRESS create NAME SUBJECT   makes a stream
//	jetstream ADDRESS print NAME            prints its messages: subject, id, type, data
//
// The user is alice, with the password $SECRET.
func runJetstream(args []string) int {
	conn, err := nats.Connect("nats://"+args[0], nats.UserInfo("alice", os.Getenv("SECRET")), nats.MaxReconnects(0))
	if err == nil {
		defer conn.Close()
		err = useJetstream(conn, args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func useJetstream(conn *nats.Conn, args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	if args[0] == "create" {
		_, err = js.CreateStream(ctx, jetstream.StreamConfig{Name: args[1], Subjects: []string{args[2]}})
		return err
	}
	stream, err := js.Stream(ctx, args[1])
	if err != nil {
		return err
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return err
	}
	for n := uint64(1); n <= info.State.LastSeq; n++ {
		m, err := stream.GetMsg(ctx, n)
		if err != nil {
			return err
		}
		fmt.Printf("%s %q %s %s\n", m.Subject, m.Header.Get(jetstream.MsgIDHeader), m.Header.Get("Content-Type"), m.Data)
	}
	return nil
}
