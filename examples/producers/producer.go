// Posts an event, again and again until it is kept: POSTHASTE_URL=... POSTHASTE_KEY=... go run producer.go
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"time"
)

var client = http.Client{Timeout: 30 * time.Second}

// again says whether it makes sense to send again, and how long to wait at least.
func send(body []byte) (answer []byte, again bool, wait time.Duration, err error) {
	request, err := http.NewRequest(http.MethodPost, os.Getenv("POSTHASTE_URL"), bytes.NewReader(body))
	if err != nil {
		return nil, false, 0, err
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("POSTHASTE_KEY"))
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		// No answer: it may be kept or not, and sending it again is right in both cases.
		return nil, true, 0, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	if err != nil {
		return nil, true, 0, err
	}
	switch response.StatusCode {
	case 200, 202:
		return answer, false, 0, nil
	case 408, 429, 500, 502, 503, 504:
		again = true
	}
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return nil, again, time.Duration(seconds) * time.Second, fmt.Errorf("refused with %s: %s", response.Status, answer)
}

func post(event any, attempts int) ([]byte, error) {
	// Made once: what is sent again is the same to the byte, and has the same id.
	body, err := json.Marshal(event)
	if err != nil {
		return nil, err
	}
	backoff := 500 * time.Millisecond
	for attempt := 1; ; attempt++ {
		answer, again, wait, err := send(body)
		if err == nil || !again || attempt == attempts {
			return answer, err
		}
		// 0.5 s, 1 s, 2 s, ... at most 30 s; a random part keeps producers from coming all at once.
		time.Sleep(max(wait, backoff/2+rand.N(backoff/2)))
		backoff = min(2*backoff, 30*time.Second)
	}
}

func main() {
	// The id names what happened, so it is the same whoever sends it however often.
	answer, err := post(map[string]any{
		"id": "order-4711-paid", "type": "order.paid",
		"data": map[string]any{"order": 4711, "total": 99.5},
	}, 8)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(answer))
}
