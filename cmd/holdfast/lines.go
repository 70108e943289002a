package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/pkg/client"
)

// quantities reads lines written as SKU=QUANTITY.
func quantities(lines []string) ([]client.LineQuantity, error) {
	out := make([]client.LineQuantity, 0, len(lines))
	for _, line := range lines {
		sku, number, ok := cutLast(line, "=")
		quantity, err := strconv.ParseInt(number, 10, 64)
		if !ok || sku == "" || err != nil {
			return nil, fmt.Errorf("the line %q is not SKU=QUANTITY, as in A1=2", line)
		}
		out = append(out, client.LineQuantity{SKU: sku, Quantity: quantity})
	}
	return out, nil
}

// pricedLines reads lines written as SKU=QUANTITY@PRICE.
func pricedLines(lines []string) ([]client.OrderLine, error) {
	out := make([]client.OrderLine, 0, len(lines))
	for _, line := range lines {
		item, price, ok := cutLast(line, "@")
		if !ok {
			return nil, fmt.Errorf("the line %q is not SKU=QUANTITY@PRICE, as in A1=2@2.55", line)
		}
		quantity, err := quantities([]string{item})
		if err != nil {
			return nil, err
		}
		out = append(out, client.OrderLine{SKU: quantity[0].SKU, Quantity: quantity[0].Quantity, UnitPrice: price})
	}
	return out, nil
}

// amendedLines reads lines written as SKU=QUANTITY[@PRICE][#LINE]. A SKU may contain any of these characters; it ends
// before the last =.
func amendedLines(lines []string) ([]client.AmendLine, error) {
	out := make([]client.AmendLine, 0, len(lines))
	for _, line := range lines {
		sku, values, _ := cutLast(line, "=")
		values, lineNumber, hasLineNumber := strings.Cut(values, "#")
		number, price, _ := strings.Cut(values, "@")
		quantity, err := strconv.ParseInt(number, 10, 64)
		amended := client.AmendLine{SKU: sku, Quantity: quantity, UnitPrice: price}
		if hasLineNumber && err == nil {
			amended.Line, err = strconv.ParseInt(lineNumber, 10, 64)
		}
		if sku == "" || err != nil {
			return nil, fmt.Errorf("the line %q is not SKU=QUANTITY[@PRICE][#LINE], as in A1=3 or C3=1@2.55", line)
		}
		out = append(out, amended)
	}
	return out, nil
}

// cutLast cuts around the last separator, because a SKU may contain it too.
func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

// number reads an argument that is a number.
func number(what, s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the %s %q is not a whole number", what, s)
	}
	return n, nil
}

// returnedLines reads lines written as SKU=QUANTITY@CONDITION.
func returnedLines(lines []string) ([]client.ReturnedLine, error) {
	out := make([]client.ReturnedLine, 0, len(lines))
	for _, line := range lines {
		item, condition, ok := cutLast(line, "@")
		if !ok {
			return nil, fmt.Errorf("the line %q is not SKU=QUANTITY@CONDITION, as in A1=2@resellable", line)
		}
		quantity, err := quantities([]string{item})
		if err != nil {
			return nil, err
		}
		out = append(out, client.ReturnedLine{
			SKU: quantity[0].SKU, Quantity: quantity[0].Quantity, Condition: client.ReturnedLineCondition(condition),
		})
	}
	return out, nil
}
