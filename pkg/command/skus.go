package command

import "strconv"

type skusBody struct {
	SKUs []string `json:"skus"`
}

// SKUList reads the body of POST /v1/availability: 1 to maxSKUs SKUs. Errors are a *Problem.
func SKUList(body []byte, maxSKUs int) ([]string, error) {
	var b skusBody
	d := decoding{body: body}
	if !d.read(&b) {
		return nil, d.problem()
	}
	switch {
	case len(b.SKUs) == 0:
		d.fault(CodeMissingField, "/skus", "must name at least one SKU")
	case len(b.SKUs) > maxSKUs:
		d.fault(CodeTooManySKUs, "/skus", "names "+strconv.Itoa(len(b.SKUs))+" SKUs; at most "+strconv.Itoa(maxSKUs)+" are taken")
	default:
		for i, sku := range b.SKUs {
			if fault := ValidSKU(sku); fault != "" {
				d.fault(CodeBadSKU, "/skus/"+strconv.Itoa(i), fault)
			}
		}
	}
	return b.SKUs, d.problem()
}
