package oauthflow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

const (
	// maxJWT is the size of the largest token that is read, in bytes. Google's and Firebase's have about a thousand.
	maxJWT = 16 << 10
	// clockSkew is how far iat may be ahead of our clock, and behind it in a token that was made just now.
	clockSkew = 5 * time.Minute
)

// readJWT returns the claims of a JWT whose signature nobody has verified yet, if they fit issuer and c.
func (f *Flow) readJWT(ctx context.Context, raw, issuer string, c oidc.Config) (*oidc.IDToken, error) {
	if len(raw) > maxJWT {
		return nil, errors.New("too long for a JWT")
	}
	c.Now, c.InsecureSkipSignatureCheck, c.SupportedSigningAlgs = f.config.Now, true, []string{oidc.RS256, oidc.ES256}
	token, err := oidc.NewVerifier(issuer, nil, &c).Verify(ctx, raw)
	var expired *oidc.TokenExpiredError
	switch {
	case errors.As(err, &expired) && expired.Expiry.IsZero():
		return nil, errors.New("exp is missing")
	case errors.As(err, &expired):
		return nil, fmt.Errorf("%w: exp is %.0f s behind this machine's clock", ErrClock, f.config.Now().Sub(expired.Expiry).Seconds())
	case err != nil:
		return nil, errors.New("issuer, audience, nbf or form") // the error quotes the token
	}
	return token, nil
}

// verifyJWT checks that a JWT is of the issuer of keys, for audience alone, in force, and signed with one of keys. It
// begins with what costs no download. Its error is ErrUnavailable, or says what is wrong with the token.
func (f *Flow) verifyJWT(ctx context.Context, raw string, keys *issuerKeys, audience string) (*oidc.IDToken, error) {
	token, err := f.readJWT(ctx, raw, keys.issuer, oidc.Config{ClientID: audience})
	if err != nil {
		return nil, err
	}
	if len(token.Audience) != 1 {
		return nil, errors.New("several audiences")
	}
	if err := verifySignature(ctx, raw, keys); err != nil {
		return nil, err
	}
	return token, nil
}

// verifySignature checks the signature of a token that readJWT has read. It is in compact form, by RS256 or ES256.
func verifySignature(ctx context.Context, raw string, keys *issuerKeys) error {
	if _, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256, jose.ES256}); err != nil {
		return errors.New("not a JWT that is signed with RS256 or ES256")
	}
	_, err := keys.VerifySignature(ctx, raw)
	if err != nil && !errors.Is(err, ErrUnavailable) {
		return errors.New("not signed with a current key of its issuer")
	}
	return err
}

// checkIssuedAt refuses a token that has no iat, or one in the future.
func (f *Flow) checkIssuedAt(issued time.Time) error {
	ahead := issued.Sub(f.config.Now())
	switch {
	case issued.IsZero():
		return errors.New("iat is missing")
	case ahead > clockSkew:
		return fmt.Errorf("%w: iat is %.0f s ahead of this machine's clock", ErrClock, ahead.Seconds())
	}
	return nil
}

// wrap makes the error of a check one of sentinel. It returns ErrUnavailable as it is.
func wrap(sentinel, err error) error {
	if errors.Is(err, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", sentinel, err)
}
