// A server of Go's standard library that finishes its requests on SIGTERM. heapbeat sets GOMEMLIMIT for it.
//
//	go build -o server . && heapbeat run --limit 256MB -- ./server
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
)

var (
	mutex sync.Mutex
	// What /leak keeps for ever.
	kept [][]byte
)

// number reads a number from the query, such as kb=100.
func number(request *http.Request, name string, otherwise int) int {
	value, err := strconv.Atoi(request.URL.Query().Get(name))
	if err != nil {
		return otherwise
	}
	return value
}

func leak(response http.ResponseWriter, request *http.Request) {
	memory := make([]byte, number(request, "kb", 100)*1024)
	for i := range memory {
		memory[i] = 'x'
	}
	mutex.Lock()
	kept = append(kept, memory)
	count := len(kept)
	mutex.Unlock()
	fmt.Fprintf(response, `{"kept":%d}`, count)
}

// stream sends an event every 100 ms, and one that says that the stream is complete.
func stream(response http.ResponseWriter, request *http.Request) {
	response.Header().Set("Content-Type", "text/event-stream")
	for left := number(request, "seconds", 5) * 10; left > 0; left-- {
		fmt.Fprintf(response, "data: %d\n\n", left)
		response.(http.Flusher).Flush()
		time.Sleep(100 * time.Millisecond)
	}
	fmt.Fprint(response, "data: end\n\n")
}

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "3000"
	}
	http.HandleFunc("/", func(response http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(response, `{"hello":"world","pid":%d}`, os.Getpid())
	})
	http.HandleFunc("/leak", leak)
	http.HandleFunc("/slow", func(response http.ResponseWriter, request *http.Request) {
		time.Sleep(time.Duration(number(request, "ms", 200)) * time.Millisecond)
		fmt.Fprint(response, `{"slow":true}`)
	})
	http.HandleFunc("/stream", stream)

	server := &http.Server{Addr: "127.0.0.1:" + port}
	finished := make(chan struct{})
	go func() {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		<-stop
		if err := server.Shutdown(context.Background()); err != nil {
			log.Print(err)
		}
		close(finished)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	<-finished
}
