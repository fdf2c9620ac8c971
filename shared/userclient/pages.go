package userclient

import (
	"context"
	"fmt"
)

// maxPages bounds a list.
const maxPages = 1000

// Pages calls page for one page of a list after the other. Page gets the token of the page to ask for,
// "" at first, and returns the next one, "" at the end. A token that comes twice, or more than 1,000
// pages, is [ErrBadAnswer]: the API clients' own Pages would go on for ever.
func Pages(ctx context.Context, page func(token string) (next string, err error)) error {
	seen := map[string]bool{}
	token := ""
	for range maxPages {
		if err := ctx.Err(); err != nil {
			return err
		}
		next, err := page(token)
		if err != nil || next == "" {
			return err
		}
		if seen[next] {
			return fmt.Errorf("%w: a page token that was there before", ErrBadAnswer)
		}
		seen[next] = true
		token = next
	}
	return fmt.Errorf("%w: a list of more than %d pages", ErrBadAnswer, maxPages)
}
