// SPDX-License-Identifier: GPL-2.0-only

// pong: a TUN queue as a socket of Go's net package. It answers every ping.
//
//	pong packet|conn NODE NAME
//
// With `packet` it has a net.PacketConn and sends a reply to where the request came
// from; with `conn` a net.Conn. First it waits for a packet that does not come, until
// its deadline.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// rust/uapi/rtun.h
const rtunSocket = 0xd403

type ifreq struct {
	name  [syscall.IFNAMSIZ]byte
	flags uint16
	_     [22]byte
}

// openSocket makes a TUN: its socket alone keeps it.
func openSocket(node, name string) (*os.File, error) {
	fd, err := syscall.Open(node, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	ifr := ifreq{flags: syscall.IFF_TUN | syscall.IFF_NO_PI}
	copy(ifr.name[:syscall.IFNAMSIZ-1], name)
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TUNSETIFF,
		uintptr(unsafe.Pointer(&ifr)))
	if errno != 0 {
		return nil, errno
	}
	sock, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), rtunSocket,
		syscall.O_CLOEXEC)
	if errno != 0 {
		return nil, errno
	}
	return os.NewFile(sock, name), nil
}

// reply turns an echo request over IPv4 into its reply, unless it is a fragment.
func reply(packet []byte) bool {
	if len(packet) < 20 || packet[0]>>4 != 4 || packet[9] != 1 {
		return false
	}
	if packet[6]&0x3f != 0 || packet[7] != 0 {
		return false
	}
	icmp := int(packet[0]&15) * 4
	if len(packet) < icmp+8 || packet[icmp] != 8 {
		return false
	}
	for i := 12; i < 16; i++ {
		packet[i], packet[i+4] = packet[i+4], packet[i]
	}
	// The type falls from 8 to 0, so the checksum grows by as much.
	packet[icmp] = 0
	sum := uint32(packet[icmp+2])<<8 + uint32(packet[icmp+3]) + 8<<8
	sum += sum >> 16
	packet[icmp+2], packet[icmp+3] = byte(sum>>8), byte(sum)
	return true
}

// deadliner is a part of both kinds of connection.
type deadliner interface {
	SetReadDeadline(time.Time) error
}

// wait lets a read end by its deadline.
func wait(conn deadliner, read func() error) error {
	if err := conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		return err
	}
	if err := read(); !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("a deadline did not end a read, but %v", err)
	}
	return conn.SetReadDeadline(time.Time{})
}

func servePacket(file *os.File) error {
	conn, err := net.FilePacketConn(file)
	if err != nil {
		return err
	}
	file.Close()
	buf := make([]byte, 2048)
	err = wait(conn, func() error { _, _, err := conn.ReadFrom(buf); return err })
	for err == nil {
		var n int
		var from net.Addr
		if n, from, err = conn.ReadFrom(buf); err == nil && reply(buf[:n]) {
			_, err = conn.WriteTo(buf[:n], from)
		}
	}
	return err
}

func serveConn(file *os.File) error {
	conn, err := net.FileConn(file)
	if err != nil {
		return err
	}
	file.Close()
	if err := conn.(*net.UnixConn).SetReadBuffer(1 << 20); err != nil {
		return err
	}
	fmt.Println("between", conn.LocalAddr(), "and", conn.RemoteAddr())
	buf := make([]byte, 2048)
	err = wait(conn, func() error { _, err := conn.Read(buf); return err })
	for err == nil {
		var n int
		if n, err = conn.Read(buf); err == nil && reply(buf[:n]) {
			_, err = conn.Write(buf[:n])
		}
	}
	return err
}

func main() {
	serve := map[string]func(*os.File) error{"packet": servePacket, "conn": serveConn}
	if len(os.Args) != 4 || serve[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: pong packet|conn NODE NAME")
		os.Exit(2)
	}
	file, err := openSocket(os.Args[2], os.Args[3])
	if err == nil {
		fmt.Println("ready", os.Args[3])
		err = serve[os.Args[1]](file)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
