# cmake -DPROGRAM=… -DARGUMENTS="a;b" -DOUTPUT=… -P: what the program prints becomes the file OUTPUT.
execute_process(COMMAND ${PROGRAM} ${ARGUMENTS} OUTPUT_FILE ${OUTPUT} COMMAND_ERROR_IS_FATAL ANY)
