"""The HTML page around its sections: data embedded once, tables and scripts."""
