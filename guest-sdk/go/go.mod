module sendbox

go 1.27
