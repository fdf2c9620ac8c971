package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2/google"

	"functions.local/oauth/shared/config"
)

// checkFirestore returns an error now, where otherwise the first request to Firestore would fail.
func checkFirestore(c *config.Config) error {
	switch {
	case c.Memory:
		return nil
	case c.Emulator != "":
		return checkEmulator(c.Emulator)
	}
	if _, err := google.FindDefaultCredentials(context.Background(), "https://www.googleapis.com/auth/datastore"); err != nil {
		return fmt.Errorf("no credentials for Firestore (`gcloud auth application-default login` makes them): %w", err)
	}
	return nil
}

// checkEmulator asks for the emulator's page at /, whose text is Ok.
func checkEmulator(at string) error {
	const mend = "`gcloud emulators firestore start --host-port=%s` starts one"
	client := &http.Client{Timeout: 5 * time.Second}
	res, err := client.Get("http://" + at + "/")
	if err != nil {
		return fmt.Errorf("FIRESTORE_EMULATOR_HOST: nothing answers at %s; "+mend+": %w", at, at, err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, 16))
	if res.StatusCode != http.StatusOK || strings.TrimSpace(string(body)) != "Ok" {
		return fmt.Errorf("FIRESTORE_EMULATOR_HOST: what answers at %s is no Firestore emulator; "+mend, at, at)
	}
	return nil
}
