package shop

import (
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// appendOrder appends the answer that Holdfast gives to an order: OrderSummary of its openapi.yaml.
func appendOrder(b []byte, o *Order, number int64) []byte {
	if b == nil {
		b = make([]byte, 0, 320)
	}
	b = append(b, `{"order_id":"`...)
	b = appendID(b, o)
	b = append(b, `","number":`...)
	b = strconv.AppendInt(b, number, 10)
	b = append(b, `,"version":2,"status":"reserved","payment_status":"pending","fulfilment_status":"unfulfilled",`...)
	b = append(b, `"return_status":"none","currency":`...)
	b = appendText(b, o.Currency)
	b = append(b, `,"total":"`...)
	b = appendMoney(b, o.TotalMicros)
	return append(b, `"}`...)
}

func appendID(b []byte, o *Order) []byte {
	text, _ := o.ID.MarshalText() // of a UUID, which has no error
	return append(b, text...)
}

func appendText(b []byte, text string) []byte {
	quoted, err := jsontext.AppendQuote(b, text)
	if err != nil { // not UTF-8, which the decoder has refused
		return append(b, `""`...)
	}
	return quoted
}

func appendProblem(b []byte, status int, code, detail string) []byte {
	b = append(b, `{"type":"about:blank","title":`...)
	b = appendText(b, http.StatusText(status))
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, `,"code":"`...)
	b = append(b, code...)
	b = append(b, `","detail":`...)
	b = appendText(b, detail)
	return append(b, '}')
}

// appendShort appends a refusal for want of stock.
func appendShort(b []byte, o *Order, short *ShortError) []byte {
	b = appendProblem(b, http.StatusConflict, "insufficient_stock", short.Error())
	var requested int64
	for _, need := range o.Needs {
		if need.SKU == short.SKU {
			requested = need.Quantity
		}
	}
	b = append(b[:len(b)-1], `,"short":[{"sku":`...)
	b = appendText(b, short.SKU)
	b = append(b, `,"requested":`...)
	b = strconv.AppendInt(b, requested, 10)
	b = append(b, `,"available":`...)
	b = strconv.AppendInt(b, short.Available, 10)
	return append(b, `}]}`...)
}
